using Mmu86.Cpu;
using Mmu86.Memory;
using Mmu86.Paging;

namespace Mmu86.Lab.Running;

/// <content>What of a machine is saved besides its memory.</content>
public sealed partial class GuestMachine
{
    private const string Section = "machine";

    /// <summary>What host-physical addresses of the machine are called in a saved state.</summary>
    public IHostAddressNames Addresses => _guestMemory is null ? new OwnHostAddresses(_host) : _guestMemory.NameAddresses();

    /// <summary>Writes everything but guest memory: CPU, translation caches, time, devices or process. Only while it does not run.</summary>
    /// <param name="writer">Made with <see cref="Addresses"/> as they are now.</param>
    /// <exception cref="InvalidOperationException">The machine is observed or recorded, has shadow tables, or stands in the middle of an instruction.</exception>
    public void SaveState(StateWriter writer)
    {
        if (_shadow is not null)
            throw new InvalidOperationException("A machine with shadow tables cannot be saved: its translation caches hold what its shadow tables say.");
        Vcpu.SaveState(writer);
        Timing?.SaveState(writer);
        _platform?.SaveState(writer);
        _personality?.SaveState(writer, AddressSpace);
        writer.Begin(Section);
        writer.Write(_virtual?.PagesPopulated ?? 0);
        Ports.Unclaimed.Save(writer);
        Mmio.Unclaimed.Save(writer);
        writer.End();
    }

    /// <summary>Reads it back into a machine that was built from equal options and has run nothing. Its memory is in place already.</summary>
    /// <param name="reader">Made with <see cref="Addresses"/> as they are now.</param>
    /// <exception cref="StateFormatException">It is the state of another machine, or broken. This one is to be thrown away.</exception>
    public void LoadState(StateReader reader)
    {
        Vcpu.LoadState(reader, _guestMemory?.Root ?? 0, _virtual?.Vpid ?? 0);
        Timing?.LoadState(reader);
        _platform?.LoadState(reader);
        _personality?.LoadState(reader, AddressSpace);
        reader.Open(Section);
        ulong populated = reader.ReadUInt64("pagesPopulated");
        Ports.Unclaimed.Load(reader, "ports");
        Mmio.Unclaimed.Load(reader, "mmio");
        reader.Close();
        _virtual?.Restored(populated);
    }

    /// <summary>
    /// As <see cref="LoadState"/>, without what the translation caches hold: as after a move to another processor, whose caches are empty. What they counted
    /// stays, and the entries lost count as invalidated.
    /// </summary>
    /// <inheritdoc cref="LoadState"/>
    public void LoadStateElsewhere(StateReader reader)
    {
        reader.Addresses = ForgottenHostAddresses.All;
        LoadState(reader);
        Mmu.InvalidateAll();
        if (_guestMemory is not null)
            Mmu.InvalidateEptContext(_guestMemory.Root);
    }
}
