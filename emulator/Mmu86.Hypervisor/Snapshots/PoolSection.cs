using Mmu86.Hypervisor.Swap;
using Mmu86.Memory;

namespace Mmu86.Hypervisor.Snapshots;

/// <summary>The pages of a swap space's compressed pool, as they are kept, in sections of bounded size, the oldest first.</summary>
public static class PoolSection
{
    // One more page may go beyond it.
    private const int BytesOfSection = 1 << 20;

    /// <summary>Whether a section is one.</summary>
    public static bool Is(in StateSection section) => section.Name == SnapshotFormat.PooledPages;

    /// <summary>Writes the sections of a space.</summary>
    /// <exception cref="IOException">They cannot be written.</exception>
    public static void Write(SnapshotWriter writer, SwapSpace space)
    {
        StateWriter? section = null;
        int bytes = 0;
        foreach ((uint slot, byte[] compressed) in space.PooledPages)
        {
            if (section is null)
            {
                section = new StateWriter(ForgottenHostAddresses.All);
                section.Begin(SnapshotFormat.PooledPages);
                bytes = 0;
            }

            section.Write(true);
            section.Write(slot);
            section.WriteArray<byte>(compressed);
            bytes += compressed.Length;
            if (bytes >= BytesOfSection)
                End();
        }

        if (section is not null)
            End();

        void End()
        {
            section.Write(false);
            section.End();
            writer.Write(section.Sections);
            section = null;
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
