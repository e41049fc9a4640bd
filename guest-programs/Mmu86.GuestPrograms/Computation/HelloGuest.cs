namespace Mmu86.GuestPrograms;

/// <summary>Prints one line. Some ten instructions in ring 3, some two hundred in ring 0, where it sends each byte itself.</summary>
internal sealed class HelloGuest : AssembledGuest
{
    public override string Name => "hello";

    public override string Question => "What does the least program that says something cost?";

    public override IReadOnlyList<string> AcceptableOutputs(GuestArguments arguments) => ["Hello from Mmu86\n"];

    protected override void Emit(GuestAssembler guest, GuestArguments arguments)
    {
        guest.Print("Hello from Mmu86\n");
        guest.Exit();
    }
}
