using System.Globalization;
using System.Text;
using Mmu86.Lab.Sweeps.Output;

namespace Mmu86.Lab.Scenarios;

/// <summary>The time line of a scenario as CSV: a header, then one line for each moment and machine. What is not modelled is empty.</summary>
public static class VmsCsv
{
    /// <summary>The columns, in their order. Times are virtual nanoseconds, free and the states of memory frames of 4 KiB. Later ones may follow.</summary>
    public static IReadOnlyList<string> Columns { get; } =
    [
        "time", "free", "state", "machine", "resident", "swapped", "shared", "ballooned", "instructions", "swapInBytes", "swapOutBytes", "faults",
    ];

    /// <summary>The rows of a report.</summary>
    public static string Write(VmsReport report)
    {
        var text = new StringBuilder();
        CsvText.Append(text, Columns);
        foreach (VmsMoment moment in report.Timeline)
        {
            for (int i = 0; i < moment.Machines.Count; i++)
            {
                VmsMachineMoment machine = moment.Machines[i];
                CsvText.Append(text,
                [
                    Number(moment.Time), Number(moment.Free), moment.State, report.Machines[i].Name, Number(machine.Resident), Number(machine.Swapped),
                    Number(machine.Shared), Number(machine.Ballooned), Number(machine.Instructions), Number(machine.SwapInBytes), Number(machine.SwapOutBytes),
                    Number(machine.Faults),
                ]);
            }
        }

        return text.ToString();
    }

    private static string Number(ulong? value) => value?.ToString(CultureInfo.InvariantCulture) ?? "";
}
