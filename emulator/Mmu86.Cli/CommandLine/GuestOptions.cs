using System.CommandLine;
using Mmu86.Cli.Programs;
using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Loaders;
using Mmu86.X86;

namespace Mmu86.Cli.CommandLine;

/// <summary>The options and arguments of every command that runs a guest, and what they make together.</summary>
internal sealed class GuestOptions
{
    private const string DefaultMemory = "1G";

    private readonly string[] _guestWords;

    private readonly Argument<string?> _program = new("PROGRAM")
    {
        Description = "A bundled guest (see 'mmu86 list guests') or the path of an ELF64 executable, a multiboot kernel, a boot sector or a flat binary",
        Arity = ArgumentArity.ZeroOrOne, // --rom takes its place
    };

    private readonly Argument<string[]> _arguments = new(Mistakes.GuestArguments)
    {
        Description = "The guest's arguments; those that begin with '-' go after '--'",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private readonly Option<string?> _machine = Text("--machine", "NAME|FILE", $"Preset or JSON machine description [default: {MachineCatalogue.DefaultName}]");
    private readonly Option<string?> _paging = Text("--paging", "native|nested|shadow", "What lies below the guest's page tables [default: native]");
    private readonly Option<string?> _guestPage = Text("--guest-page", "4k|2m|1g", "Page size of the loader's guest tables [default: 4k]");
    private readonly Option<string?> _hostPage = Text("--host-page", "4k|2m|1g", "Page size of nested paging [default: 4k]");
    private readonly Option<string?> _fidelity = Text("--fidelity", "fast|tlb|cycles", "Architecture only, exact TLBs, or data caches too [default: tlb]");
    private readonly Option<string?> _memory = Text("--memory", "SIZE", $"Guest-physical memory [default: {DefaultMemory}]");
    private readonly Option<string?> _hostMemory = Text("--host-memory", "SIZE", "Frames of the host [default: all that was promised]");
    private readonly Option<string?> _maxInstructions = Text("--max-instructions", "N", "Stop exactly there, with status 75");
    private readonly Option<string?> _seed = Text("--seed", "N", "The only source of randomness [default: 1]");
    private readonly Option<string?> _personality = Text("--personality", "linux|bare", "Ring 3 with system calls answered, or ring 0 [default: by the file]");
    private readonly Option<string?> _format = Text("--format", "elf|flat|multiboot|rom|boot", "The kind of file [default: recognised]");
    private readonly Option<string?> _loadAddress = Text("--load-address", "ADDRESS", "Where a flat binary goes");
    private readonly Option<string?> _entry = Text("--entry", "ADDRESS", "Where a flat binary starts [default: its first byte]");

    private readonly Option<string?> _rom = Text("--rom", "FILE", "A ROM of 64, 128 or 256 KiB instead of PROGRAM, started at the reset vector");

    private readonly Option<string[]> _modules = new("--module")
    {
        Description = "A file that a multiboot kernel finds beside itself; repeatable",
        HelpName = "FILE",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private readonly Option<bool> _quiet = new("--quiet") { Description = "No progress, no report on the terminal" };

    private readonly Option<string[]> _set = new("--set")
    {
        Description = "Override one value of the machine by its path in 'mmu86 show machine'; repeatable",
        HelpName = "PATH=VALUE",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private GuestOptions(string[] guestWords) => _guestWords = guestWords;

    /// <summary>Adds arguments and options to a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="guestWords">What followed <c>--</c>.</param>
    public static GuestOptions AddTo(Command command, string[] guestWords)
    {
        var options = new GuestOptions(guestWords);
        command.Add(options._program);
        command.Add(options._arguments);
        foreach (Option option in new Option[]
        {
            options._machine, options._set, options._paging, options._guestPage, options._hostPage, options._fidelity, options._memory, options._hostMemory,
            options._maxInstructions, options._seed, options._personality, options._format, options._loadAddress, options._entry,
            options._rom, options._modules, options._quiet,
        })
        {
            command.Add(option);
        }

        return options;
    }

    /// <summary>An option with one text.</summary>
    public static Option<string?> Text(string name, string value, string description) => new(name) { Description = description, HelpName = value };

    /// <summary>What the command line asks for.</summary>
    /// <exception cref="UserErrorException">Status 64, 65 or 69.</exception>
    /// <exception cref="Mmu86.Lab.Configuration.ConfigurationException">The machine is wrong.</exception>
    public RunOptions Read(ParseResult parsed) => ReadGuest(parsed, PagingWord(parsed));

    private RunOptions ReadGuest(ParseResult parsed, string paging)
    {
        RunOptions options = Read(parsed, paging, FindProgram(parsed, Page(parsed, _guestPage)));
        if (options.Modules.Count != 0 && (options.Format ?? ImageRecognition.Recognise(options.Program.Bytes)) != ImageKind.Multiboot)
            throw UserErrorException.Usage($"--module: {options.Program.Name} is no multiboot kernel");
        bool isFlat = (options.Format ?? ImageRecognition.Recognise(options.Program.Bytes)) == ImageKind.Flat;
        if (!isFlat && (options.LoadAddress ?? options.Entry) is not null)
            throw UserErrorException.Usage($"{(options.LoadAddress is null ? "--entry" : "--load-address")}: {options.Program.Name} is no flat binary; its file says where it goes");
        return options;
    }

    private RunOptions Read(ParseResult parsed, string paging, ProgramImage program)
    {
        PageSize guestPage = Page(parsed, _guestPage);
        MachineDescription machine = MachineCatalogue.Find(parsed.GetValue(_machine) ?? MachineCatalogue.DefaultName, parsed.GetValue(_set) ?? []);
        var options = new RunOptions
        {
            Machine = machine,
            Paging = Values.Choice<PagingMode>("--paging", paging, [
                new("native", PagingMode.Native), new("nested", PagingMode.Nested), new("shadow", PagingMode.Shadow)]),
            Fidelity = Values.Choice<Fidelity>("--fidelity", parsed.GetValue(_fidelity) ?? "tlb", [
                new("fast", Fidelity.Fast), new("tlb", Fidelity.Tlb), new("cycles", Fidelity.Cycles)]),
            GuestPage = guestPage,
            HostPage = Page(parsed, _hostPage),
            MemoryBytes = Memory(parsed),
            HostMemoryBytes = parsed.GetValue(_hostMemory) is string host
                ? Values.MemorySize("--host-memory", host, RunOptions.MinimumMemoryBytes, RunOptions.MaximumMemoryBytes)
                : null,
            MaxInstructions = Number(parsed, _maxInstructions),
            Seed = Number(parsed, _seed) ?? 1,
            Personality = parsed.GetValue(_personality) is string personality
                ? Values.Choice<PersonalityKind>("--personality", personality, [new("linux", PersonalityKind.Linux), new("bare", PersonalityKind.Bare)])
                : null,
            Format = parsed.GetValue(_format) is string format
                ? Values.Choice<ImageKind>("--format", format, [
                    new("elf", ImageKind.Elf), new("flat", ImageKind.Flat), new("multiboot", ImageKind.Multiboot), new("rom", ImageKind.Rom), new("boot", ImageKind.BootSector)])
                : parsed.GetValue(_rom) is null ? null : ImageKind.Rom,
            LoadAddress = Number(parsed, _loadAddress),
            Entry = Number(parsed, _entry),
            Program = program,
            Modules = [.. (parsed.GetValue(_modules) ?? []).Select(ProgramFinder.FindFile)],
        };
        RequireAddressable(options);
        if (options.HostMemoryBytes is not null && options.Paging == PagingMode.Native)
            throw UserErrorException.Usage("--host-memory: with native paging the host's memory is the guest's; use --memory");
        return options;
    }

    /// <summary>What the command line asks for, once for each of several paging modes separated by commas: <c>--paging native,nested</c>.</summary>
    /// <inheritdoc cref="Read"/>
    public IReadOnlyList<RunOptions> ReadEachPaging(ParseResult parsed) => [.. PagingModes(parsed).Select(mode => ReadGuest(parsed, mode))];

    /// <summary>The same for a trace, which has no program.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="trace">What the trace is called.</param>
    /// <exception cref="UserErrorException">Status 64: an option is a guest's.</exception>
    /// <exception cref="Mmu86.Lab.Configuration.ConfigurationException">The machine is wrong.</exception>
    public IReadOnlyList<RunOptions> ReadEachPagingOfTrace(ParseResult parsed, string trace)
    {
        RefuseProgram(parsed);
        var image = new ProgramImage { Name = trace, Bytes = [], Arguments = [] };
        return [.. PagingModes(parsed).Select(mode => Read(parsed, mode, image))];
    }

    /// <summary>Refuses whatever a recorded stream says itself.</summary>
    /// <exception cref="UserErrorException">Status 64.</exception>
    public void RefuseRun(ParseResult parsed)
    {
        RefuseProgram(parsed);
        if (Given(parsed, _machine, _set, _paging, _guestPage, _hostPage, _fidelity, _memory, _hostMemory, _maxInstructions, _seed) is string option)
            throw UserErrorException.Usage($"{option}: a recorded stream has the machine, paging, pages, memory and seed of its run; record again for others");
    }

    /// <summary>What a restored run is asked for: what was saved, unless the program is named again, and then everything is said anew.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="readSaved">Reads what was saved.</param>
    /// <exception cref="UserErrorException">Status 64: an option is the snapshot's to say.</exception>
    public RunOptions ReadRestored(ParseResult parsed, Func<RunOptions> readSaved)
    {
        if (parsed.GetValue(_program) is not null || parsed.GetValue(_rom) is not null)
            return Read(parsed);
        Option[] said = [_machine, _set, _paging, _guestPage, _hostPage, _fidelity, _memory, _hostMemory, _seed, _personality, _format, _loadAddress, _entry, _modules];
        if (Given(parsed, said) is string option)
            throw UserErrorException.Usage($"{option}: the snapshot has it; with PROGRAM too, everything is said anew and must be the same");
        return readSaved() with { MaxInstructions = Number(parsed, _maxInstructions) };
    }

    private void RefuseProgram(ParseResult parsed)
    {
        if (parsed.GetValue(_program) is string program)
            throw UserErrorException.Usage($"--trace: the trace takes the place of PROGRAM; '{program}' is one word too many");
        if (_guestWords.Length > 0)
            throw UserErrorException.Usage($"--trace: no guest runs that could take '{_guestWords[0]}'");
        if (Given(parsed, _personality, _format, _loadAddress, _entry, _rom, _modules) is string option)
            throw UserErrorException.Usage($"{option}: a trace has no program that this could be said of");
    }

    private static string? Given(ParseResult parsed, params ReadOnlySpan<Option> options)
    {
        foreach (Option option in options)
        {
            if (parsed.GetResult(option) is { Implicit: false })
                return option.Name;
        }

        return null;
    }

    private string PagingWord(ParseResult parsed) => parsed.GetValue(_paging) ?? "native";

    private string[] PagingModes(ParseResult parsed)
    {
        string[] modes = PagingWord(parsed).Split(',');
        if (modes.Contains("shadow"))
            throw UserErrorException.NotYet("--paging shadow: sweeps are of native and nested paging; 'run' has shadow tables");
        return modes.Distinct().Count() == modes.Length ? modes : throw UserErrorException.Usage($"--paging: '{PagingWord(parsed)}' names a mode twice");
    }

    /// <summary>Whether the user wants neither progress nor report.</summary>
    public bool IsQuiet(ParseResult parsed) => parsed.GetValue(_quiet);

    /// <summary>Refuses a run whose translation hardware is not modelled.</summary>
    /// <exception cref="UserErrorException">Status 64; 69 for shadow tables, which are not shown yet.</exception>
    public static RunOptions RequireModel(string command, RunOptions options)
    {
        if (options.Fidelity == Fidelity.Fast)
            throw UserErrorException.Usage($"--fidelity fast has no modelled TLBs that {command} could show; use tlb");
        if (options.Paging == PagingMode.Shadow)
            throw UserErrorException.NotYet($"--paging shadow: {command} does not show shadow tables yet; 'run' has them");
        return options;
    }

    private ulong Memory(ParseResult parsed) =>
        Values.MemorySize("--memory", parsed.GetValue(_memory) ?? DefaultMemory, RunOptions.MinimumMemoryBytes, RunOptions.MaximumMemoryBytes);

    private ProgramImage FindProgram(ParseResult parsed, PageSize guestPage)
    {
        string? program = parsed.GetValue(_program);
        if (parsed.GetValue(_rom) is string rom)
            return program is null ? ProgramFinder.FindFile(rom) : throw UserErrorException.Usage($"--rom: the ROM is the program; '{program}' is one word too many");
        if (program is null)
            throw UserErrorException.Usage($"PROGRAM is missing; see 'mmu86 {parsed.CommandResult.Command.Name} --help'");
        return ProgramFinder.Find(program, [.. parsed.GetValue(_arguments) ?? [], .. _guestWords], guestPage, Memory(parsed));
    }

    private static ulong? Number(ParseResult parsed, Option<string?> option) => parsed.GetValue(option) is string text ? Values.Number(option.Name, text) : null;

    private static PageSize Page(ParseResult parsed, Option<string?> option) => Values.Choice<PageSize>(option.Name, parsed.GetValue(option) ?? "4k", [
        new("4k", PageSize.Size4K), new("2m", PageSize.Size2M), new("1g", PageSize.Size1G)]);

    private static void RequireAddressable(RunOptions options)
    {
        // The PC's hole of 1 GiB below 4 GiB moves what does not fit below it up.
        ulong highest = options.MemoryBytes + (options.MemoryBytes > 3UL << 30 ? 1UL << 30 : 0);
        if (highest > 1UL << options.Machine.Cpuid.PhysicalAddressBits)
        {
            throw UserErrorException.Usage(
                $"--memory: {options.MemoryBytes >> 30}G are more than the {options.Machine.Cpuid.PhysicalAddressBits} physical-address bits of machine {options.Machine.Name} reach");
        }

        if (options.GuestPage == PageSize.Size1G && !options.Machine.HasPage1G)
            throw UserErrorException.Usage($"--guest-page: machine {options.Machine.Name} has no 1g pages (cpuid.features lacks pdpe1gb)");
        if (options.Paging == PagingMode.Nested && !options.Machine.Mmu.Nested.CanMap(options.HostPage))
        {
            throw UserErrorException.Usage(
                $"--host-page: nested tables of machine {options.Machine.Name} map pages of {options.Machine.Mmu.Nested.LargestPage} at most (mmu.nested.largestPage)");
        }
    }
}
