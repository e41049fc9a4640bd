using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>What DR0 to DR3 watch for, and what they saw. SDM 3, "Debug Registers" and "Debug Exceptions".</summary>
/// <remarks>
/// Nothing is compared while nothing is armed: an armed code breakpoint makes the run loop take single steps, and it compares each
/// address; an armed data breakpoint does that too and takes the translation filter away, so that every access reaches
/// <see cref="DataAccess"/>, which compares it.
/// </remarks>
internal sealed class Breakpoints(SystemState system)
{
    private const int Count = 4;
    private const ulong Enables = 0xFF;

    private readonly WatchedRange[] _ranges = new WatchedRange[Count];

    /// <summary>Whether an instruction breakpoint is enabled.</summary>
    public bool WatchesCode { get; private set; }

    /// <summary>Whether a data breakpoint is enabled.</summary>
    public bool WatchesData { get; private set; }

    /// <summary>Whether an I/O breakpoint is enabled.</summary>
    public bool WatchesPorts { get; private set; }

    /// <summary>Whether any breakpoint is enabled.</summary>
    public bool IsArmed => WatchesCode || WatchesData || WatchesPorts;

    /// <summary>Bits of DR6 that a trap will report at the next instruction boundary where debug exceptions are recognised.</summary>
    public ulong Pending { get; set; }

    /// <summary>Reads DR0 to DR3, DR7 and CR4.DE anew.</summary>
    public void Refresh()
    {
        WatchesCode = false;
        WatchesData = false;
        WatchesPorts = false;
        ulong control = system.Dr7;
        if ((control & Enables) == 0)
            return;
        for (int i = 0; i < Count; i++)
        {
            bool isEnabled = ((control >> (2 * i)) & 3) != 0;
            var kind = (BreakpointKind)((control >> (16 + (4 * i))) & 3);

            // Without debugging extensions this kind is undefined: it never matches.
            if (kind == BreakpointKind.Port && (system.Cr4 & Cr4.DebuggingExtensions) == 0)
                isEnabled = false;
            uint bytes = ((control >> (18 + (4 * i))) & 3) switch { 0 => 1u, 1 => 2u, 2 => 8u, _ => 4u };
            _ranges[i] = new WatchedRange(isEnabled, kind, system.BreakpointAddresses[i] & ~(ulong)(bytes - 1), bytes);
            WatchesCode |= isEnabled && kind == BreakpointKind.Code;
            WatchesPorts |= isEnabled && kind == BreakpointKind.Port;
            WatchesData |= isEnabled && kind is BreakpointKind.Write or BreakpointKind.ReadOrWrite;
        }
    }

    /// <summary>The breakpoints, as bits of DR6, at the instruction that is about to run.</summary>
    /// <param name="linear">The linear address of its first byte.</param>
    public ulong AtInstruction(ulong linear) => Match(linear, 1, static kind => kind == BreakpointKind.Code);

    /// <summary>An explicit data access is made. A read-modify-write is a write.</summary>
    public void Accessed(ulong linear, uint bytes, AccessKind kind) =>
        Pending |= kind == AccessKind.Write
            ? Match(linear, bytes, static kind => kind is BreakpointKind.Write or BreakpointKind.ReadOrWrite)
            : Match(linear, bytes, static kind => kind == BreakpointKind.ReadOrWrite);

    /// <summary>A port is read or written.</summary>
    public void PortAccessed(ushort port, uint bytes)
    {
        if (WatchesPorts)
            Pending |= Match(port, bytes, static kind => kind == BreakpointKind.Port);
    }

    private ulong Match(ulong address, uint bytes, Func<BreakpointKind, bool> isOfKind)
    {
        ulong matched = 0;
        for (int i = 0; i < Count; i++)
        {
            WatchedRange range = _ranges[i];
            if (range.IsEnabled && isOfKind(range.Kind) && range.Overlaps(address, bytes))
                matched |= 1UL << i;
        }

        return matched;
    }

    // R/W0 to R/W3 of DR7.
    private enum BreakpointKind
    {
        Code,
        Write,
        Port,
        ReadOrWrite,
    }

    private readonly record struct WatchedRange(bool IsEnabled, BreakpointKind Kind, ulong Start, uint Bytes)
    {
        public bool Overlaps(ulong address, uint bytes) => address - Start < Bytes || Start - address < bytes;
    }
}
