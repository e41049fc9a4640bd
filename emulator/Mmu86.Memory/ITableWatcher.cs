using Mmu86.X86;

namespace Mmu86.Memory;

/// <summary>One that keeps a copy of paging tables.</summary>
public interface ITableWatcher
{
    /// <summary>Lines of a watched table may have changed. Called after the bytes were written.</summary>
    /// <param name="frame">The frame written.</param>
    /// <param name="lines">The 64-byte lines written; bit i is line i.</param>
    void TableWritten(HostFrameNumber frame, ulong lines);
}
