using BenchmarkDotNet.Running;
using Mmu86.Bench;
using Mmu86.Bench.Parts;
using Mmu86.Bench.Peers;
using Mmu86.Bench.Programs;

// What the first word says; every other word belongs to BenchmarkDotNet, which measures the parts.
try
{
    switch (args.FirstOrDefault())
    {
        case "programs":
            ProgramBench.Run(new CommandWords(args.Skip(1)), Console.Out, Console.Error);
            return 0;
        case "images":
            PeerImage.WriteAll(new CommandWords(args.Skip(1)), Console.Out);
            return 0;
        case "peers":
            PeerBench.Run(new CommandWords(args.Skip(1)), Console.Out, Console.Error);
            return 0;
        default:
            BenchmarkSwitcher.FromAssembly(typeof(PartsConfiguration).Assembly).Run(args, new PartsConfiguration());
            return 0;
    }
}
catch (UsageException exception)
{
    Console.Error.WriteLine($"bench: {exception.Message}");
    return 64;
}
catch (MeasurementException exception)
{
    Console.Error.WriteLine($"bench: {exception.Message}");
    return 70;
}
