using Mmu86.Lab.Configuration;

namespace Mmu86.Lab.Reports;

/// <summary>Reports as JSON.</summary>
public static class ReportJson
{
    /// <summary>A run report as indented JSON with a final newline. The sources of the machine's numbers are left out: <c>show machine</c> has them.</summary>
    public static string Write(RunReport report) =>
        JsonText.Write(report with { Machine = report.Machine with { Sources = null } }, ReportJsonContext.Default.RunReport);
}
