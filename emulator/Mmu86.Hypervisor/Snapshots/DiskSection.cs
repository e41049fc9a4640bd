using Mmu86.Memory;

namespace Mmu86.Hypervisor.Snapshots;

/// <summary>What is on guests' disks, in sections of bounded size behind everything else: neither end ever holds more than one of them.</summary>
public static class DiskSection
{
    /// <summary>Whether a section is one, whichever machine's.</summary>
    public static bool Is(in StateSection section) => section.Name.EndsWith(SnapshotFormat.DiskPages, StringComparison.Ordinal);

    /// <summary>The name of the sections of a machine.</summary>
    /// <param name="prefix">What the names of its sections begin with.</param>
    internal static string NameOf(string prefix) => prefix + SnapshotFormat.DiskPages;

    /// <summary>Writes what is on the disk of a machine that is alone in its file.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="disk">The disk; null where it has none.</param>
    /// <exception cref="IOException">A page cannot be read, or the file not written.</exception>
    public static void Write(SnapshotWriter writer, GuestDisk? disk) => Write(writer, "", disk);

    /// <summary>Writes what is on the disk of one of several machines.</summary>
    internal static void Write(SnapshotWriter writer, string prefix, GuestDisk? disk) => disk?.SavePages(new PageSectionWriter(writer, NameOf(prefix)));

    /// <summary>Puts the pages of a section on a disk that has none of them.</summary>
    /// <param name="section">The section.</param>
    /// <param name="disk">The disk; null where the machine has none, and no such section may be.</param>
    /// <exception cref="StateFormatException">It has a page that the disk has not, or one twice.</exception>
    /// <exception cref="RestoredPageException">A page cannot be written.</exception>
    public static void Load(in StateSection section, GuestDisk? disk) => PageSection.Load(section, (page, bytes) => disk?.TryLoadPage(page, bytes) == true);
}
