using System.Security.Cryptography;
using System.Text;

namespace Mmu86.Lab.Pages;

/// <summary>Style and scripts that ship inside this assembly. Nothing of it is read before a page is written.</summary>
internal static class PageAssets
{
    /// <summary>The page's style.</summary>
    public static string Style() => Read("page.css");

    /// <summary>The script that hands the charts' data to the library.</summary>
    public static string Script() => Read("page.js");

    /// <summary>Apache ECharts, with the notices that its licence asks for; taken from its package by the build.</summary>
    public static string Library() => Read("echarts.js");

    /// <summary>A script's digest as a content security policy names it.</summary>
    public static string Digest(string script) => $"'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(script)))}'";

    // Browsers read every end of line as one line feed before they compute the digest.
    private static string Read(string name)
    {
        using Stream stream = typeof(PageAssets).Assembly.GetManifestResourceStream($"Mmu86.Lab.Pages.{name}")
            ?? throw new System.Diagnostics.UnreachableException($"{name} is not in the assembly");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}
