namespace Mmu86.Hypervisor.Replacement;

/// <summary>Facts about a frame in the books.</summary>
[Flags]
internal enum FrameFlags : byte
{
    /// <summary>A ghost.</summary>
    None = 0,

    /// <summary>It is resident.</summary>
    Resident = 1,

    /// <summary>It is resident and in no list.</summary>
    Pinned = 2,

    /// <summary>Its accessed flag, if set, may be due to nothing but the access that brought it in.</summary>
    Fresh = 4,

    /// <summary>ARC has learned from the return of this ghost already.</summary>
    Learned = 8,
}
