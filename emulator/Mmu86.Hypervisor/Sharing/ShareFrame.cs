using Mmu86.X86;

namespace Mmu86.Hypervisor.Sharing;

/// <summary>What sharing knows of a frame of the host, in 16 bytes: the frame of ESX's hash table.</summary>
/// <remarks>
/// <code>
///            63                    28 27              0
/// shared  0  [            hash, 64 bits               ]
///         1  [  0      ] [ kind ] [ next frame        ]
/// hint    0  [ guest frame 36     ][ hash bits 27:0   ]
///         1  [ owner 16 | hash 39:28 | kind 2 | next 32 ]
/// </code>
/// A hint says that a machine had a page of this hash here when it was looked at; for the way back to the guest's page it has fewer bits of the hash.
/// </remarks>
internal readonly struct ShareFrame
{
    /// <summary>The bits of the hash that a hint has; the bucket is among them.</summary>
    public const ulong HintHashMask = (1UL << 40) - 1;

    private const int LowHashBits = 28;
    private const int KindShift = 32;
    private const int HighHashShift = 34;
    private const int OwnerShift = 48;
    private const ulong SharedKind = 1;
    private const ulong HintKind = 2;

    private readonly ulong _first;
    private readonly ulong _second;

    private ShareFrame(ulong first, ulong second)
    {
        _first = first;
        _second = second;
    }

    /// <summary>Whether the frame is known at all.</summary>
    public bool Exists => Kind != 0;

    /// <summary>Whether it was shared when it was last looked at.</summary>
    public bool IsShared => Kind == SharedKind;

    /// <summary>The frame behind it in its bucket; 0 at the end.</summary>
    public uint Next => (uint)_second;

    /// <summary>The machine of a hint.</summary>
    public ushort Owner => (ushort)(_second >> OwnerShift);

    /// <summary>The machine's frame, of a hint.</summary>
    public GuestFrameNumber Guest => new(_first >> LowHashBits);

    /// <summary>What there is of the hash: all 64 bits, or those of <see cref="HintHashMask"/>.</summary>
    public ulong Hash => IsShared ? _first : (_first & ((1UL << LowHashBits) - 1)) | ((_second >> HighHashShift & 0xFFF) << LowHashBits);

    /// <summary>A shared frame.</summary>
    public static ShareFrame Shared(ulong hash, uint next) => new(hash, (SharedKind << KindShift) | next);

    /// <summary>A hint.</summary>
    public static ShareFrame Hint(ulong hash, ushort owner, GuestFrameNumber guest, uint next) => new(
        (guest.Value << LowHashBits) | (hash & ((1UL << LowHashBits) - 1)),
        ((ulong)owner << OwnerShift) | ((hash & HintHashMask) >> LowHashBits << HighHashShift) | (HintKind << KindShift) | next);

    /// <summary>The same with another behind it.</summary>
    public ShareFrame Before(uint next) => new(_first, (_second & ~(ulong)uint.MaxValue) | next);

    /// <summary>Whether a page of a hash may be what is here.</summary>
    public bool Matches(ulong hash) => IsShared ? _first == hash : Hash == (hash & HintHashMask);

    private ulong Kind => _second >> KindShift & 3;
}
