using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;

namespace Mmu86.Lab.Configuration;

/// <summary>JSON as people like to read it.</summary>
internal static class JsonText
{
    // Quotes and apostrophes inside texts stay readable; nothing here is put into HTML without escaping.
    private static readonly JsonWriterOptions s_indented = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    // Some editors begin a UTF-8 file with it.
    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    /// <summary>Reads a document.</summary>
    /// <param name="json">UTF-8, with or without a byte-order mark.</param>
    /// <param name="errors">Gets what is wrong with the text; the reader adds what is wrong with the document.</param>
    /// <param name="read">Makes a value of the document, or null where it added errors.</param>
    /// <returns>Null where there is any error.</returns>
    public static T? Read<T>(ReadOnlyMemory<byte> json, List<ConfigurationError> errors, Func<JsonElement, T?> read)
        where T : class
    {
        if (json.Span.StartsWith(ByteOrderMark))
            json = json[ByteOrderMark.Length..];
        if (!Utf8.IsValid(json.Span))
        {
            errors.Add(new ConfigurationError("", "is not UTF-8"));
            return null;
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            T? value = read(document.RootElement);
            return errors.Count == 0 ? value : null;
        }
        catch (JsonException exception)
        {
            // Lines and bytes count from 0 in the exception, from 1 in editors.
            errors.Add(new ConfigurationError("", $"is not JSON at line {exception.LineNumber + 1}, byte {exception.BytePositionInLine + 1}"));
            return null;
        }
        catch (InvalidOperationException)
        {
            // The reader hands out escaped halves of surrogate pairs only when a text is asked for.
            errors.Add(new ConfigurationError("", "has a text with half of a surrogate pair"));
            return null;
        }
    }

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
