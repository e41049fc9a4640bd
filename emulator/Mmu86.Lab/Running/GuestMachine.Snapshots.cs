using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Snapshots;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Lab.Running;

/// <content>Its memory in a snapshot.</content>
public sealed partial class GuestMachine
{
    /// <summary>What it was made of.</summary>
    public RunOptions Options => _options;

    /// <summary>Writes the sections that say what guest memory consists of: nothing with native paging, where it is all of the host's.</summary>
    internal void SaveTables(StateWriter writer)
    {
        (_ownHost as VirtualHost)?.Frames.Save(writer);
        _guestMemory?.SaveTables(writer);
    }

    /// <summary>Writes the bytes of guest memory.</summary>
    internal void SavePages(PageSectionWriter writer)
    {
        if (_guestMemory is not null)
        {
            _guestMemory.SavePages(writer);
            return;
        }

        SaveRange(writer, 0, _host.LowTop.Value);
        if (_host.SizeInBytes > HostMemory.HoleStart)
            SaveRange(writer, HostMemory.HoleEnd, _host.HighTop.Value);
        writer.Flush();
    }

    /// <summary>Forgets the image that was placed, and makes memory as it was, with every byte zero.</summary>
    internal void LoadTables(StateReader reader)
    {
        if (_guestMemory is not { } memory)
        {
            _host.Forget();
        }
        else if (_ownHost is VirtualHost host)
        {
            memory.Forget();
            host.Memory.Forget();
            host.Frames.Load(reader);
            memory.LoadTables(reader, FramePlacement.Same);
        }
        else
        {
            memory.LoadTables(reader, FramePlacement.Other);
        }
    }

    /// <summary>Puts the bytes of a frame in their place.</summary>
    /// <returns>False where the guest has no such frame.</returns>
    internal bool TryLoadPage(ulong frame, ReadOnlySpan<byte> bytes)
    {
        if (_guestMemory is not null)
            return _guestMemory.TryLoadPage(frame, bytes);
        var address = new HostPhysicalAddress(frame << 12);
        if (address.Value >> 12 != frame || !_host.IsRam(address))
            return false;
        _host.Write(address, bytes);
        return true;
    }

    /// <summary>Every page was loaded.</summary>
    internal void CompletePages() => _guestMemory?.CompletePages();

    private void SaveRange(PageSectionWriter writer, ulong from, ulong to)
    {
        for (ulong at = from; at < to; at += 4096)
            writer.Add(at >> 12, _host.Frame(new HostPhysicalAddress(at).Frame));
    }
}
