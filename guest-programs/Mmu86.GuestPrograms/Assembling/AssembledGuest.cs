namespace Mmu86.GuestPrograms;

/// <summary>A guest written with the assembler: one method gives the images of both variants.</summary>
internal abstract class AssembledGuest : GuestSource
{
    /// <summary>Emits the whole program, from its first instruction to <see cref="GuestAssembler.Exit"/>.</summary>
    protected abstract void Emit(GuestAssembler guest, GuestArguments arguments);

    public sealed override byte[] Build(GuestArguments arguments)
    {
        var guest = new GuestAssembler(arguments.Variant, arguments.PageBytes);
        Emit(guest, arguments);
        return guest.Link();
    }
}
