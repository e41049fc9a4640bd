using System.Text;
using System.Text.Json;

namespace Mmu86.Lab.Pages;

/// <summary>
/// Writes pages as HTML. A page has all it needs and a policy that forbids browsers to load anything else or to run any other script, so
/// not even a guest's symbol could. The same page gives the same bytes.
/// </summary>
public sealed class PageWriter
{
    private readonly StringBuilder _html = new();
    private readonly Page _page;

    private PageWriter(Page page)
    {
        _page = page;
    }

    /// <summary>The page as HTML.</summary>
    public static string Write(Page page)
    {
        var writer = new PageWriter(page);
        writer.Write();
        return writer._html.ToString();
    }

    private void Write()
    {
        bool hasCharts = _page.Sections.Any(section => section.Charts.Count > 0);
        string library = hasCharts ? PageAssets.Library() : "";
        string script = hasCharts ? PageAssets.Script() : "";
        string scripts = hasCharts ? $"{PageAssets.Digest(library)} {PageAssets.Digest(script)}" : "'none'";
        string title = PageText.Escape(_page.Title);
        Line("<!DOCTYPE html>");
        Line("<html lang=\"en\">");
        Line("<head>");
        Line("<meta charset=\"utf-8\">");
        // Tooltips of the library carry style attributes; they can load nothing.
        Line($"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">");
        Line("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
        Line("<meta name=\"color-scheme\" content=\"light dark\">");
        Line($"<title>{title}</title>");
        Line($"<style>\n{PageAssets.Style()}</style>");
        Line("</head>");
        Line("<body>");
        Line("<main>");
        Line($"<h1>{title}</h1>");
        WriteHead();
        foreach (PageSection section in _page.Sections)
            Write(section);
        Line("</main>");
        if (hasCharts)
        {
            Line("<footer>Charts: Apache ECharts, Apache License 2.0; its script is part of this page. Nothing is loaded from a network.</footer>");
            Line($"<script>{library}</script>");
            Line($"<script>{script}</script>");
        }

        Line("</body>");
        Line("</html>");
    }

    private void WriteHead()
    {
        foreach (string caution in _page.Cautions)
            Line($"<p class=\"caution\">{PageText.Escape(caution)}</p>");
        if (_page.Answers.Count > 0)
        {
            Line("<ul class=\"answers\">");
            foreach (string answer in _page.Answers)
                Line($"<li>{PageText.Escape(answer)}</li>");
            Line("</ul>");
        }

        Line("<dl>");
        foreach (PageFact fact in _page.Facts)
            Line($"<div><dt>{PageText.Escape(fact.Name)}</dt><dd>{PageText.Escape(fact.Value)}</dd></div>");
        Line("</dl>");
    }

    private void Write(PageSection section)
    {
        Line("<section>");
        Line($"<h2>{PageText.Escape(section.Title)}</h2>");
        if (section.Text.Length > 0)
            Line($"<p>{PageText.Escape(section.Text)}</p>");
        foreach (Chart chart in section.Charts)
            Write(chart);
        foreach (DataTable table in section.Tables)
            Write(table);
        Line("</section>");
    }

    private void Write(Chart chart)
    {
        Line("<figure>");
        Line($"<figcaption>{PageText.Escape(chart.Title)}</figcaption>");
        Line($"<div class=\"plot\" role=\"img\" aria-label=\"{PageText.Escape(chart.Summary)}\"></div>");
        Line($"<script type=\"application/json\">{Data(chart)}</script>");
        Line($"<details><summary>The same as a table</summary>");
        Write(chart.Table);
        Line("</details>");
        Line("</figure>");
    }

    private void Write(DataTable table)
    {
        Line("<div class=\"scroll\" tabindex=\"0\"><table>");
        Line($"<caption>{PageText.Escape(table.Caption)}</caption>");
        Line($"<thead><tr>{string.Concat(table.Columns.Select(column => $"<th scope=\"col\"{Class(column)}>{PageText.Escape(column.Name)}</th>"))}</tr></thead>");
        Line("<tbody>");
        foreach (IReadOnlyList<string> row in table.Rows)
            Line($"<tr>{string.Concat(row.Select((cell, index) => $"<td{Class(table.Columns[index])}>{PageText.Escape(cell)}</td>"))}</tr>");
        Line("</tbody>");
        Line("</table></div>");
    }

    private static string Class(DataColumn column) => column.Kind == DataColumnKind.Number ? " class=\"number\"" : "";

    // The default encoder writes every character that could end the element as an escape.
    private static string Data(Chart chart)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes))
            chart.WriteData(writer);
        return Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length);
    }

    private void Line(string text) => _html.Append(text).Append('\n');
}
