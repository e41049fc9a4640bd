using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>What a hypervisor asks for: INVEPT and INVVPID with their checks, AMD's TLB_CONTROL and INVLPGA.</content>
public sealed unsafe partial class Mmu<TPolicy>
{
    /// <inheritdoc/>
    public bool AcceptsEptPointer(ulong eptp) => EptPointer.IsValid(eptp, _configuration.Nested, _configuration.PhysicalAddressBits);

    /// <inheritdoc/>
    public VmInstructionError Invept(ulong type, ulong eptp)
    {
        switch (type)
        {
            case 1 when AcceptsEptPointer(eptp):
                InvalidateEptContext(eptp);
                return VmInstructionError.None;
            case 2:
                InvalidateEptAll();
                return VmInstructionError.None;
            default:
                return VmInstructionError.InvalidOperandToInvalidation;
        }
    }

    /// <inheritdoc/>
    public VmInstructionError Invvpid(ulong type, UInt128 descriptor)
    {
        const ulong Reserved = ~0xFFFFUL;
        var low = (ulong)descriptor;
        var linear = (ulong)(descriptor >> 64);
        var vpid = (ushort)low;
        if (type > 3 || (low & Reserved) != 0 || (type != 2 && vpid == 0) || (type == 0 && !_addresses.IsCanonical(linear)))
            return VmInstructionError.InvalidOperandToInvalidation;
        if (type == 0)
            InvalidateAddressOf(vpid, linear);
        else
            InvalidateSpaces(space => space.Pcid != AddressSpaces.GuestPhysical && (type == 2 ? space.Vpid != 0 : space.Vpid == vpid && (type == 1 || space.Pcid != AddressSpaces.Global)));
        return VmInstructionError.None;
    }

    /// <inheritdoc/>
    public bool TryApplyTlbControl(byte control)
    {
        ushort asid = _context.Vpid;
        switch (control)
        {
            case 0:
                return true;
            case 1:
                InvalidateSpaces(static _ => true);
                return true;
            case 3:
                InvalidateSpaces(space => space.Vpid == asid);
                return true;
            case 7:
                InvalidateSpaces(space => space.Vpid == asid && space.Pcid != AddressSpaces.Global);
                return true;
            default:
                return false;
        }
    }

    /// <inheritdoc/>
    public void InvalidatePageOfAsid(LinearAddress address, ushort asid)
    {
        if (_addresses.IsCanonical(address.Value))
            InvalidateAddressOf(asid, address.Value);
    }

    // One address of a VPID or ASID, whatever PCID and root: pages, globals too. As with INVLPG, all entries of partial walks go.
    private void InvalidateAddressOf(ushort vpid, ulong linear)
    {
        for (int index = 0; index < _tags.Spaces.Count; index++)
        {
            AddressSpaces.Space space = _tags.Spaces[index];
            if (space.Vpid != vpid || space.Pcid == AddressSpaces.GuestPhysical)
                continue;
            RemovePage(linear, space.TlbTag);
            _tags.InvalidateStructures(index);
        }

        LoadTags();
    }

    private void InvalidateSpaces(Predicate<AddressSpaces.Space> concerns)
    {
        for (int index = 0; index < _tags.Spaces.Count; index++)
        {
            if (concerns(_tags.Spaces[index]))
                InvalidateSpace(index);
        }

        LoadTags();
    }
}
