namespace Mmu86.Devices;

/// <summary>What accesses of several bytes mean to devices whose registers have one.</summary>
internal static class PortBytes
{
    /// <summary>All ones in as many bytes, as an access that nobody answers gives.</summary>
    public static uint Ones(int size) => size >= sizeof(uint) ? uint.MaxValue : (1u << (size * 8)) - 1;
}
