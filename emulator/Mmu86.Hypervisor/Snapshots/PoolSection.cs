using System.Buffers.Binary;
using Mmu86.Hypervisor.Swap;
using Mmu86.Memory;

namespace Mmu86.Hypervisor.Snapshots;

/// <summary>The pages of a swap space's compressed pool, as they are kept, in sections of bounded size, the oldest first.</summary>
public static class PoolSection
{
    private const int MostBytes = 1 << 20;

    // A flag that there is a page, its slot, how many bytes follow.
    private const int PageHeaderBytes = 1 + sizeof(uint) + sizeof(int);

    /// <summary>Whether a section is one.</summary>
    public static bool Is(in StateSection section) => section.Name == SnapshotFormat.PooledPages;

    /// <summary>Writes the sections of a space.</summary>
    /// <exception cref="IOException">They cannot be written.</exception>
    public static void Write(SnapshotWriter writer, SwapSpace space)
    {
        // What a StateWriter would write, in a buffer that every section has: a pool may have thousands of them.
        byte[] section = new byte[MostBytes];
        int used = 0;
        foreach ((uint slot, byte[] compressed) in space.PooledPages)
        {
            if (used + PageHeaderBytes + compressed.Length + 1 > MostBytes)
                End();
            section[used] = 1;
            BinaryPrimitives.WriteUInt32LittleEndian(section.AsSpan(used + 1), slot);
            BinaryPrimitives.WriteInt32LittleEndian(section.AsSpan(used + 1 + sizeof(uint)), compressed.Length);
            compressed.CopyTo(section, used + PageHeaderBytes);
            used += PageHeaderBytes + compressed.Length;
        }

        if (used != 0)
            End();

        void End()
        {
            section[used] = 0;
            writer.Write(SnapshotFormat.PooledPages, section.AsSpan(0, used + 1));
            used = 0;
        }
    }

    /// <summary>Puts the pages of a section into the pool of a space that was loaded and has none of them.</summary>
    /// <exception cref="StateFormatException">It is broken, or has a page that is not in the pool.</exception>
    public static void Load(in StateSection section, SwapSpace space)
    {
        var reader = new StateReader([section], ForgottenHostAddresses.All);
        reader.Open(SnapshotFormat.PooledPages);
        while (reader.ReadBoolean("isMore"))
            space.LoadPooled(reader);
        reader.Close();
    }
}
