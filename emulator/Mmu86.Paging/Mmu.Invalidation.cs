using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>Invalidation. SDM 3, "Operations that Invalidate TLBs and Paging-Structure Caches" and "Operations that Invalidate Cached Mappings".</content>
public sealed unsafe partial class Mmu<TPolicy>
{
    /// <inheritdoc/>
    public void InvalidatePage(LinearAddress address)
    {
        if (!_addresses.IsCanonical(address.Value))
            return;
        ushort vpid = _context.Vpid;
        ushort pcid = _tags.Spaces[_spaceIndex].Pcid;
        InvalidatePageOf(vpid, pcid, address.Value);
        InvalidatePageOf(vpid, AddressSpaces.Global, address.Value);
        InvalidateStructuresOf(vpid, pcid);
        LoadTags();
    }

    /// <inheritdoc/>
    public void InvalidatePage(LinearAddress address, ushort pcid)
    {
        if (!_addresses.IsCanonical(address.Value))
            return;
        InvalidatePageOf(_context.Vpid, pcid, address.Value);
        InvalidateStructuresOf(_context.Vpid, pcid);
        LoadTags();
    }

    /// <inheritdoc/>
    public void InvalidatePcid(ushort pcid)
    {
        AddressSpaces spaces = _tags.Spaces;
        for (int index = spaces.First(_context.Vpid, pcid); index >= 0; index = spaces.Next(index, _context.Vpid, pcid))
            InvalidateSpace(index);
        LoadTags();
    }

    /// <inheritdoc/>
    public void InvalidateAllNonGlobal()
    {
        for (int index = 0; index < _tags.Spaces.Count; index++)
        {
            ref AddressSpaces.Space space = ref _tags.Spaces[index];
            if (space.Vpid == _context.Vpid && space.Pcid != AddressSpaces.Global && space.Pcid != AddressSpaces.GuestPhysical)
                InvalidateSpace(index);
        }

        LoadTags();
    }

    /// <inheritdoc/>
    public void InvalidateAll() => InvalidateVpid(_context.Vpid);

    /// <inheritdoc/>
    public void InvalidateAfterPageFault(LinearAddress address)
    {
        ulong linear = address.Value;
        RemovePage(linear, _space);
        if (_globalSpace != _space)
            RemovePage(linear, _globalSpace);
        _walker.RemoveServing(linear);
    }

    /// <inheritdoc/>
    public void InvalidateEptContext(ulong eptp)
    {
        ulong root = EptPointer.RootTag(eptp);
        for (int index = 0; index < _tags.Spaces.Count; index++)
        {
            // A space without EPT has linear mappings, which INVEPT leaves alone.
            if (root != EptPointer.NoRootTag && _tags.Spaces[index].Root == root)
                InvalidateSpace(index);
        }

        LoadTags();
    }

    /// <inheritdoc/>
    public void InvalidateEptAll()
    {
        for (int index = 0; index < _tags.Spaces.Count; index++)
        {
            if (_tags.Spaces[index].Root != EptPointer.NoRootTag)
                InvalidateSpace(index);
        }

        LoadTags();
    }

    /// <inheritdoc/>
    public void InvalidateVpid(ushort vpid)
    {
        for (int index = 0; index < _tags.Spaces.Count; index++)
        {
            ref AddressSpaces.Space space = ref _tags.Spaces[index];
            if (space.Vpid == vpid && space.Pcid != AddressSpaces.GuestPhysical)
                InvalidateSpace(index);
        }

        LoadTags();
    }

    private void InvalidateSpace(int index)
    {
        // Slots hold for the context in force only.
        if (index == _spaceIndex || index == _globalIndex)
            _filter.Clear();
        _tags.InvalidateTlb(index);
        _tags.InvalidateStructures(index);
    }

    private void InvalidatePageOf(ushort vpid, ushort pcid, ulong linear)
    {
        AddressSpaces spaces = _tags.Spaces;
        for (int index = spaces.First(vpid, pcid); index >= 0; index = spaces.Next(index, vpid, pcid))
            RemovePage(linear, spaces[index].TlbTag);
    }

    private void InvalidateStructuresOf(ushort vpid, ushort pcid)
    {
        AddressSpaces spaces = _tags.Spaces;
        for (int index = spaces.First(vpid, pcid); index >= 0; index = spaces.Next(index, vpid, pcid))
            _tags.InvalidateStructures(index);
    }
}
