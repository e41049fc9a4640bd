using Mmu86.Hypervisor.Snapshots;
using Mmu86.Lab.Running;
using Mmu86.Memory;

namespace Mmu86.Lab.Snapshots;

/// <summary>A machine with its guest as a snapshot: what runs on from it gives the same results, to the last count, as if nothing had been.</summary>
/// <remarks>docs/hypervisor/snapshots.md has the format, and says where counts may differ: beside other machines, whose frames are in the way.</remarks>
public static class GuestSnapshot
{
    /// <summary>Writes a machine. Only between two instructions.</summary>
    /// <param name="writer">Where to; the caller completes it.</param>
    /// <param name="machine">The machine. It may run on.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    /// <exception cref="Hypervisor.SwappedPageLostException">A swapped page of the guest's cannot be got back.</exception>
    public static void Write(SnapshotWriter writer, GuestMachine machine) => Write(writer, machine, _ => { });

    /// <summary>Makes a machine of what was written, on a host of its own.</summary>
    /// <param name="reader">Where from.</param>
    /// <param name="output">Where the guest's bytes go from now on.</param>
    /// <exception cref="StateFormatException">It is broken, or no snapshot of a machine.</exception>
    public static GuestMachine Read(SnapshotReader reader, GuestOutput output) =>
        Read(reader, options => GuestMachine.Build(options, output, observer: null), _ => { });

    /// <summary>Makes a machine of what was written, beside others on a host.</summary>
    /// <param name="reader">Where from.</param>
    /// <param name="shared">The host. The machine gets frames that it has to give.</param>
    /// <param name="output">Where the guest's bytes go from now on.</param>
    /// <remarks>Frames that were shared are the machine's own then, until they are found equal again; its translation caches are empty in that case.</remarks>
    /// <exception cref="StateFormatException">It is broken, or no snapshot of a machine that ran beside others.</exception>
    /// <exception cref="Hypervisor.HostMemoryExhaustedException">The host has too little memory for it.</exception>
    public static GuestMachine ReadOn(SnapshotReader reader, SharedHost shared, GuestOutput output) =>
        Read(reader, options => GuestMachine.BuildOn(shared, options, output), _ => { });

    /// <summary>What a snapshot runs on what: its first section.</summary>
    /// <exception cref="StateFormatException">It is broken, or no snapshot of a machine.</exception>
    public static RunOptions ReadOptions(SnapshotReader reader)
    {
        reader.TryRead(out StateSection first);
        return SavedOptions.Load(new StateReader([first], ForgottenHostAddresses.All));
    }

    /// <summary>The same of a file.</summary>
    /// <exception cref="SnapshotFileException">It cannot be read.</exception>
    /// <exception cref="StateFormatException">As above.</exception>
    public static RunOptions ReadOptions(string path) =>
        SnapshotFileException.Translate(FileAccess.Read, path, () => SnapshotFile.Read(path, ReadOptions));

    /// <summary>As <see cref="Write(SnapshotWriter, GuestMachine)"/>, with sections of somebody else's.</summary>
    internal static void Write(SnapshotWriter writer, GuestMachine machine, Action<StateWriter> saveMore)
    {
        var state = new StateWriter(machine.Addresses);
        SavedOptions.Save(state, machine.Options);
        machine.SaveTables(state);
        machine.SaveState(state);
        saveMore(state);
        writer.Write(state.Sections);
        machine.SavePages(new PageSectionWriter(writer));
        DiskSection.Write(writer, machine.Virtual?.Disk);
    }

    /// <summary>As <see cref="Read(SnapshotReader, GuestOutput)"/>, with sections of somebody else's.</summary>
    /// <param name="reader">Where from.</param>
    /// <param name="build">Makes the machine of its options; it may refuse them.</param>
    /// <param name="loadMore">Reads the other sections.</param>
    internal static GuestMachine Read(SnapshotReader reader, Func<RunOptions, GuestMachine> build, Action<StateReader> loadMore)
    {
        List<StateSection> sections = [];
        bool isMore;
        StateSection section;
        while ((isMore = reader.TryRead(out section)) && !PageSection.Is(section) && !DiskSection.Is(section))
            sections.Add(section);
        var state = new StateReader(sections, ForgottenHostAddresses.All);
        GuestMachine machine = build(SavedOptions.Load(state));
        try
        {
            machine.LoadTables(state);
            for (; isMore; isMore = reader.TryRead(out section))
            {
                if (PageSection.Is(section))
                    PageSection.Load(section, machine.TryLoadPage);
                else if (DiskSection.Is(section))
                    DiskSection.Load(section, machine.Virtual?.Disk);
                else
                    throw new StateFormatException($"section '{section.Name}': stands behind the pages");
            }

            machine.CompletePages();
            state.Addresses = machine.Addresses;
            if (machine.Virtual is { Memory.WasUnshared: true })
                machine.LoadStateElsewhere(state);
            else
                machine.LoadState(state);
            loadMore(state);
            return machine;
        }
        catch
        {
            machine.Dispose();
            throw;
        }
    }
}
