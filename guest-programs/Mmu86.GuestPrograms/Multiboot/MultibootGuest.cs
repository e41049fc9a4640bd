namespace Mmu86.GuestPrograms;

/// <summary>A kernel that a multiboot loader starts: a 32-bit part, which ends by entering 64-bit mode, and a 64-bit part.</summary>
/// <remarks>Both are in one ELF32 file: the 32-bit part at 1 MiB, the 64-bit part where other ring-0 guests are linked.</remarks>
internal abstract class MultibootGuest : GuestSource
{
    public sealed override GuestVariants Variants => GuestVariants.Multiboot;

    public sealed override byte[] Build(GuestArguments arguments)
    {
        var guest = new GuestAssembler(GuestVariant.Bare, arguments.PageBytes);
        EmitLong(guest);
        var linked = new Elf64ImageReader(guest.Link());

        var start = new ProtectedModeAssembler();
        var entry = new LongModeEntry(start);
        EmitProtected(start, entry);
        entry.EmitSwitch((uint)linked.Entry);
        (Elf32ImageWriter.Part part, uint first) = start.Link();
        return Elf32ImageWriter.Write(first, [part, .. linked.Segments.Select(segment => new Elf32ImageWriter.Part(
            (uint)segment.Address, linked.Content(segment).ToArray(), (uint)segment.MemorySize))]);
    }

    /// <summary>Emits the 32-bit part, up to where it enters 64-bit mode. EAX and EBX are the loader's; there is no stack yet.</summary>
    protected abstract void EmitProtected(ProtectedModeAssembler kernel, LongModeEntry entry);

    /// <summary>Emits the 64-bit part, to its end.</summary>
    protected abstract void EmitLong(GuestAssembler guest);
}
