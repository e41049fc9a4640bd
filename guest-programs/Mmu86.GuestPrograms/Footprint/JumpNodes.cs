using System.Buffers.Binary;

namespace Mmu86.GuestPrograms;

/// <summary>The code of a chain of jumps through pages, as <c>jump-chain</c> runs it.</summary>
public static class JumpNodes
{
    internal const byte JumpNear = 0xE9;
    internal const int JumpNearBytes = 5;

    /// <summary>The last node: <c>dec rcx; jz +2; jmp rbx; jmp rbp</c>. RBX is the first node, RBP where to go after RCX rounds.</summary>
    public static ReadOnlySpan<byte> Last => [0x48, 0xFF, 0xC9, 0x74, 0x02, 0xFF, 0xE3, 0xFF, 0xE5];

    /// <summary>Writes a jump.</summary>
    /// <param name="node">Where it is to be: at least five bytes.</param>
    /// <param name="distance">From its first byte to its target. Less than 2 GiB.</param>
    public static void WriteJump(Span<byte> node, long distance)
    {
        node[0] = JumpNear;
        BinaryPrimitives.WriteInt32LittleEndian(node[1..], checked((int)(distance - JumpNearBytes)));
    }
}
