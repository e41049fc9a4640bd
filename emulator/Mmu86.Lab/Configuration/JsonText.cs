using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Mmu86.Lab.Configuration;

/// <summary>JSON as people like to read it.</summary>
internal static class JsonText
{
    // Quotes and apostrophes inside texts stay readable; nothing here is put into HTML without escaping.
    private static readonly JsonWriterOptions s_indented = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>A value as indented JSON with a final newline.</summary>
    public static string Write<T>(T value, JsonTypeInfo<T> type)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes, s_indented))
            JsonSerializer.Serialize(writer, value, type);
        bytes.WriteByte((byte)'\n');
        return Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length);
    }
}
