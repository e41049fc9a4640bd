return Mmu86.Cli.CommandLine.Application.Run(args);
