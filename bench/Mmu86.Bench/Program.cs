using Mmu86.Bench;
using Mmu86.Bench.Codegen;
using Mmu86.Bench.Curves;
using Mmu86.Bench.GuestPaging;
using Mmu86.Bench.Nested;
using Mmu86.Bench.Parts;
using Mmu86.Bench.Peers;
using Mmu86.Bench.Programs;
using Mmu86.Bench.Reclaim;
using Mmu86.Bench.Replacement;
using Mmu86.Bench.Silicon;

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
        case "paging":
            PagingBench.Run(new CommandWords(args.Skip(1)), Console.Out, Console.Error);
            return 0;
        case "parts":
            PartsBench.Run(new CommandWords(args.Skip(1)), Console.Out, Console.Error);
            return 0;
        case "curves":
            CurveBench.Run(new CommandWords(args.Skip(1)), Console.Out, Console.Error);
            return 0;
        case "silicon":
            SiliconBench.Run(new CommandWords(args.Skip(1)), Console.Out, Console.Error);
            return 0;
        case "nested":
            NestedBench.Run(new CommandWords(args.Skip(1)), Console.Out, Console.Error);
            return 0;
        case "replacement":
            ReplacementBench.Run(new CommandWords(args.Skip(1)), Console.Out, Console.Error);
            return 0;
        case "reclaim":
            ReclaimBench.Run(new CommandWords(args.Skip(1)), Console.Out, Console.Error);
            return 0;
        case "codegen":
            CodegenBench.Run(new CommandWords(args.Skip(1)));
            return 0;
        case CodegenBench.CompileWord:
            CodegenBench.CompileAll();
            return 0;
        default:
            throw new UsageException(
                "say parts, programs, peers, paging, images, curves, silicon, nested, replacement, reclaim or codegen; bench/README.md tells of each.");
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
