return Mmu86.Cli.CommandLine.Application.Run(args, Mmu86.Cli.CommandLine.StandardStreams.OfProcess());
