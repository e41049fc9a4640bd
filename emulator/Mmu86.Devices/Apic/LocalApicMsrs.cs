namespace Mmu86.Devices;

/// <summary>The local APIC as model-specific registers reach it: x2APIC (800H to 8FFH) and IA32_TSC_DEADLINE (6E0H).</summary>
/// <param name="apic">The APIC.</param>
public sealed class LocalApicMsrs(LocalApic apic)
{
    private const uint First = 0x800;
    private const uint Last = 0x8FF;
    private const uint TimeStampDeadline = 0x6E0;

    /// <summary>Whether a number is one of these.</summary>
    public static bool IsNumber(uint number) => number is TimeStampDeadline or (>= First and <= Last);

    /// <summary>RDMSR.</summary>
    /// <returns>False for #GP(0): no such register, or not in x2APIC mode.</returns>
    public bool TryRead(uint number, out ulong value)
    {
        value = apic.Deadline;
        return number == TimeStampDeadline || (apic.Mode == LocalApicMode.Registers && apic.TryReadExtended(Offset(number), out value));
    }

    /// <summary>WRMSR.</summary>
    /// <returns>As <see cref="TryRead"/>.</returns>
    public bool TryWrite(uint number, ulong value)
    {
        if (number != TimeStampDeadline)
            return apic.Mode == LocalApicMode.Registers && apic.TryWriteExtended(Offset(number), value);
        apic.Deadline = value;
        return true;
    }

    private static int Offset(uint number) => (int)(number - First) << 4;
}
