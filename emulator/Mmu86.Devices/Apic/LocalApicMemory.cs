using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>The local APIC as it is reached in memory. Registers have 32 bits and lie 16 bytes apart.</summary>
/// <param name="apic">The APIC.</param>
public sealed class LocalApicMemory(LocalApic apic) : IMmioDevice
{
    /// <summary>The first physical address, unless IA32_APIC_BASE is changed, which moves nothing here.</summary>
    public const ulong Address = 0xFEE0_0000;

    /// <summary>Its size in bytes.</summary>
    public const int SizeInBytes = 4096;

    /// <inheritdoc/>
    public ulong Read(ulong offset, int size)
    {
        if (apic.Mode != LocalApicMode.Memory)
            return ulong.MaxValue >> (64 - (size * 8));

        // The manual allows 32-bit accesses at multiples of 16; parts of a register are what its bytes are.
        int inRegister = (int)(offset & 15);
        return inRegister >= sizeof(uint) ? 0 : apic.Read((int)(offset & ~15UL)) >> (inRegister * 8);
    }

    /// <inheritdoc/>
    public void Write(ulong offset, ulong value, int size)
    {
        if (apic.Mode == LocalApicMode.Memory && (offset & 15) == 0)
            apic.Write((int)offset, (uint)value);
    }
}
