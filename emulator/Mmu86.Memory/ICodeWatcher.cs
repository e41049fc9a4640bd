using Mmu86.X86;

namespace Mmu86.Memory;

/// <summary>One that holds something derived from the bytes of a frame, such as decoded blocks.</summary>
public interface ICodeWatcher
{
    /// <summary>A frame that held no decoded code is about to: no store to it may go unnoticed from now on.</summary>
    /// <param name="frame">The frame.</param>
    void CodeAppears(HostFrameNumber frame);

    /// <summary>Lines that were marked as code may have changed. Called after the bytes were written.</summary>
    /// <param name="frame">The frame written.</param>
    /// <param name="lines">The 64-byte lines written; bit i is line i.</param>
    void CodeWritten(HostFrameNumber frame, ulong lines);
}
