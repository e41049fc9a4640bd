using System.Text;

namespace Mmu86.Lab.Pages;

/// <summary>Text inside HTML.</summary>
internal static class PageText
{
    /// <summary>A text that means itself between tags and inside quoted attributes. What HTML does not allow becomes U+FFFD.</summary>
    public static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            switch (rune.Value)
            {
                case '&':
                    escaped.Append("&amp;");
                    break;
                case '<':
                    escaped.Append("&lt;");
                    break;
                case '>':
                    escaped.Append("&gt;");
                    break;
                case '"':
                    escaped.Append("&quot;");
                    break;
                case '\'':
                    escaped.Append("&#39;");
                    break;
                default:
                    escaped.Append(Rune.IsControl(rune) && rune.Value is not ('\n' or '\t') ? "\uFFFD" : rune.ToString());
                    break;
            }
        }

        return escaped.ToString();
    }
}
