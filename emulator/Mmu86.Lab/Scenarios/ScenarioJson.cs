using System.Globalization;
using System.Text.Json;
using Mmu86.Hypervisor.DirtyLogging;
using Mmu86.Hypervisor.Migration;
using Mmu86.Hypervisor.Replacement;
using Mmu86.Hypervisor.Scheduling;
using Mmu86.Hypervisor.Sharing;
using Mmu86.Hypervisor.Swap;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Running;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Lab.Scenarios;

/// <summary>Scenario files (<c>mmu86.scenario/1</c>).</summary>
public static class ScenarioJson
{
    /// <summary>The name and version of the format.</summary>
    public const string SchemaName = "mmu86.scenario/1";

    /// <summary>The largest scenario file that is read, in bytes.</summary>
    public const int MaximumBytes = 1 << 20;

    /// <summary>The most machines of a scenario.</summary>
    public const int MaximumMachines = 1000;

    private const ulong MostShares = 1_000_000;
    private const ulong DefaultShares = 1000;

    // What the tables, the image and the reserve of a machine take at least.
    private const ulong LeastHostFramesOfMachine = 64;

    // A swap that holds less than a cluster is a mistake.
    private const ulong LeastSwapBytes = 64 << 10;

    // A page.
    private const ulong LeastDiskBytes = 4 << 10;

    // ESX samples for 30 seconds; scenarios last a fraction of one.
    private const ulong DefaultSamplePeriod = 5_000_000;
    private const ulong LeastSamplePeriod = 100_000;

    // Eleven days: far beyond what is ever run, and far from where sums of nanoseconds overflow.
    private const ulong MostNanoseconds = 1_000_000_000_000_000;

    private const string DefaultReplacement = "clock";

    private const ulong MostMigrationNanoseconds = 1_000_000_000_000;
    private const int MostMigrationRounds = 1000;

    /// <summary>Reads a scenario and checks it.</summary>
    /// <param name="json">UTF-8.</param>
    /// <param name="reading">What the file does not say.</param>
    /// <param name="errors">Everything that is wrong, empty where the result is not null.</param>
    /// <returns>Null where it was refused.</returns>
    public static Scenario? Read(ReadOnlyMemory<byte> json, ScenarioReading reading, out IReadOnlyList<ConfigurationError> errors)
    {
        List<ConfigurationError> found = [];
        errors = found;
        return JsonText.Read(json, found, document => new Reader(reading, found).Read(document));
    }

    /// <summary>The line that says what a scenario shows; empty where it says nothing.</summary>
    /// <param name="json">A scenario that is known to be right.</param>
    public static string DescriptionOf(ReadOnlyMemory<byte> json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        return document.Deserialize(ScenarioJsonContext.Default.ScenarioDescription)!.Description ?? "";
    }

    private sealed class Reader(ScenarioReading reading, List<ConfigurationError> errors)
    {
        public Scenario? Read(JsonElement document)
        {
            new JsonShape(ScenarioJsonContext.Default.Options, errors).Check(document, ScenarioJsonContext.Default.ScenarioDescription, "");
            if (errors.Count > 0)
                return null;
            ScenarioDescription description = document.Deserialize(ScenarioJsonContext.Default.ScenarioDescription)!;
            if (description.Schema != SchemaName)
                Refuse("schema", $"must be '{SchemaName}', not '{description.Schema}'");
            ulong host = Size("hostMemory", description.HostMemory, RunOptions.MinimumMemoryBytes);
            host = reading.HostMemoryBytes ?? host;
            ScenarioSwap? swap = description.Swap is null ? null : ReadSwap(description.Swap);
            PageSharingOptions? sharing = ReadSharing(description.Policy);
            ReclaimOrder order = ReadPolicy(description.Policy, out PageReplacement replacement);
            List<ScenarioMachine> machines = [];
            HashSet<string> names = [];
            if (description.Machines.Count == 0)
                Refuse("machines", "has no members");
            for (int i = 0; i < description.Machines.Count; i++)
                Add(machines, names, description.Machines[i], $"machines[{i}]");
            List<ScenarioMigration> migrations = [];
            for (int i = 0; i < (description.Migrations?.Count ?? 0); i++)
                Add(migrations, machines, description.Migrations![i], $"migrations[{i}]");
            if (description.Limits?.Time is < 1 or > MostNanoseconds)
                Refuse("limits.time", $"must be 1 to {MostNanoseconds} virtual nanoseconds, not {description.Limits.Time}");
            CheckTogether(host, machines);
            return new Scenario
            {
                Name = reading.Name,
                HostMemoryBytes = host,
                Order = order,
                UsesBalloons = description.Policy?.Balloon == true,
                IdleTaxPercent = description.Policy?.IdleTaxPercent ?? 0,
                SamplePeriodNanoseconds = description.Policy?.SamplePeriod ?? (description.Policy?.IdleTaxPercent is > 0 ? DefaultSamplePeriod : null),
                Replacement = replacement,
                Swap = swap,
                Sharing = sharing,
                Machines = machines,
                Migrations = migrations,
                LimitNanoseconds = description.Limits?.Time,
                Seed = reading.Seed,
            };
        }

        private ScenarioSwap ReadSwap(SwapDescription swap)
        {
            if (swap.File is "")
                Refuse("swap.file", "must be a path, or absent for a temporary file");
            return new ScenarioSwap
            {
                File = swap.File is { Length: > 0 } file ? Path.Combine(reading.Folder, file) : null,
                SizeInBytes = Size("swap.size", swap.Size, LeastSwapBytes),
                Device = Device("swap.device", swap.Device ?? SwapDeviceTimes.Names[0]),
                CompressedPoolBytes = swap.CompressedPool is null ? 0 : Size("swap.compressedPool", swap.CompressedPool, 4096),
                Allocation = swap.Preallocated == true ? SwapFileAllocation.Preallocated : SwapFileAllocation.Growing,
            };
        }

        private DiskOptions ReadDisk(DiskDescription disk, ulong memory, string path)
        {
            DiskOptions usual = DiskOptions.For(memory);
            return new DiskOptions
            {
                SizeInBytes = disk.Size is null ? usual.SizeInBytes : Size($"{path}.size", disk.Size, LeastDiskBytes),
                Device = disk.Device is null ? usual.Device : Device($"{path}.device", disk.Device),
            };
        }

        private SwapDeviceTimes Device(string path, string name)
        {
            if (SwapDeviceTimes.Find(name) is { } times)
                return times;
            Refuse(path, $"must be {string.Join(", ", SwapDeviceTimes.Names)}, not '{name}'{Suggestion.Ending(name, SwapDeviceTimes.Names)}");
            return SwapDeviceTimes.Find(SwapDeviceTimes.Names[0])!;
        }

        private PageSharingOptions? ReadSharing(PolicyDescription? policy)
        {
            ulong rate = policy?.SharingPagesPerSecond ?? PageSharingOptions.DefaultPagesPerSecond;
            if (rate is 0 or > PageSharingOptions.MostPagesPerSecond)
                Refuse("policy.sharingPagesPerSecond", $"must be 1 to {PageSharingOptions.MostPagesPerSecond}, not {rate}");
            else if (policy is { SharingPagesPerSecond: not null, Sharing: null })
                Refuse("policy.sharingPagesPerSecond", "means nothing without 'sharing'");
            return policy?.Sharing == true ? PageSharingOptions.At(rate, reading.Seed) : null;
        }

        private ReclaimOrder ReadPolicy(PolicyDescription? policy, out PageReplacement replacement)
        {
            if (policy?.IdleTaxPercent is < 0 or > 99)
                Refuse("policy.idleTaxPercent", $"must be 0 to 99, not {policy.IdleTaxPercent}");
            else if (policy?.IdleTaxPercent is > 0 && policy.Reclaim != "shares")
                Refuse("policy.idleTaxPercent", "is weighed with shares: 'policy.reclaim' must be shares");
            if (policy?.SamplePeriod is < LeastSamplePeriod)
                Refuse("policy.samplePeriod", $"must be {LeastSamplePeriod} virtual nanoseconds at least, not {policy.SamplePeriod}");
            string name = policy?.Replacement ?? DefaultReplacement;
            if (PageReplacement.Find(name) is not { } found)
            {
                IReadOnlyList<string> names = [.. PageReplacement.All.Where(known => !known.NeedsFuture).Select(known => known.Name)];
                Refuse("policy.replacement", $"must be {string.Join(", ", names)}, not '{name}'{Suggestion.Ending(name, names)}");
                found = PageReplacement.Find(DefaultReplacement)!;
            }
            else if (found.NeedsFuture)
            {
                Refuse("policy.replacement", $"'{name}' needs the accesses to come, which a host that runs does not know");
            }

            replacement = found;
            switch (policy?.Reclaim ?? "largest")
            {
                case "largest":
                    return ReclaimOrder.Largest;
                case "shares":
                    return ReclaimOrder.Shares;
                case "balloon":
                    Refuse("policy.reclaim", "says who gives way: largest or shares; the balloon is 'policy.balloon': true");
                    return ReclaimOrder.Largest;
                case var other:
                    Refuse("policy.reclaim", $"must be largest or shares, not '{other}'{Suggestion.Ending(other, ["largest", "shares"])}");
                    return ReclaimOrder.Largest;
            }
        }

        private void Add(List<ScenarioMachine> machines, HashSet<string> names, ScenarioMachineDescription machine, string path)
        {
            int errorsBefore = errors.Count;
            ulong memory = Size($"{path}.memory", machine.Memory, RunOptions.MinimumMemoryBytes);
            ulong min = machine.Min is null ? 0 : Size($"{path}.min", machine.Min, 0);
            ulong max = machine.Max is null ? ulong.MaxValue : Size($"{path}.max", machine.Max, RunOptions.MinimumMemoryBytes);
            if (min > memory)
                Refuse($"{path}.min", $"'{machine.Min}' is more than its memory, '{machine.Memory}'");
            if (max < min)
                Refuse($"{path}.max", $"'{machine.Max}' is less than its min, '{machine.Min}'");
            if (machine.Shares is { } shares && (shares < 1 || (ulong)shares > MostShares))
                Refuse($"{path}.shares", $"must be 1 to {MostShares}, not {shares}");
            if (machine.StartAt > MostNanoseconds)
                Refuse($"{path}.startAt", $"must be 0 to {MostNanoseconds} virtual nanoseconds, not {machine.StartAt}");
            DiskOptions? disk = machine.Disk is null ? null : ReadDisk(machine.Disk, memory, $"{path}.disk");
            int count = machine.Count ?? 1;
            if (count < 1 || count > MaximumMachines - machines.Count)
            {
                Refuse($"{path}.count", $"must be 1 to {MaximumMachines} in all, not {count}");
                return;
            }

            if (machine.Name.Length == 0 || machine.Name.Any(char.IsControl))
                Refuse($"{path}.name", "must be a text without control characters, and not empty");
            IReadOnlyList<string> arguments = machine.Args ?? [];
            if (reading.FindProgram(machine.Program, arguments, memory, out string problem) is not { } program)
            {
                Refuse($"{path}.program", problem);
                return;
            }

            RunOptions options = Options(program, memory) with { Disk = disk };
            if (errors.Count == errorsBefore && GuestMachine.FindPlacementProblem(options) is { } misfit)
                Refuse($"{path}.program", $"'{machine.Program}' cannot be placed: {misfit.TrimEnd('.')}");
            else if (errors.Count == errorsBefore && disk is not null && GuestKind.Recognise(options).Personality != PersonalityKind.Bare)
                Refuse($"{path}.disk", $"means nothing: '{machine.Program}' is a process, which has no devices");
            for (int i = 1; i <= count; i++)
            {
                string name = count == 1 ? machine.Name : $"{machine.Name}-{i}";
                if (!names.Add(name))
                    Refuse($"{path}.name", $"'{name}' is a machine already");
                machines.Add(new ScenarioMachine
                {
                    Name = name,
                    Options = options,
                    Shares = (ulong)(machine.Shares ?? (int)DefaultShares),
                    LeastFrames = min >> 12,
                    MostFrames = max == ulong.MaxValue ? max : max >> 12,
                    StartNanoseconds = machine.StartAt ?? 0,
                });
            }
        }

        private RunOptions Options(ProgramImage program, ulong memory) => new()
        {
            Program = program,
            Machine = reading.Machine,
            Paging = PagingMode.Nested,
            GuestPage = PageSize.Size4K,
            HostPage = reading.Machine.Mmu.Nested.CanMap(PageSize.Size2M) ? PageSize.Size2M : PageSize.Size4K,
            Fidelity = reading.Fidelity,
            MemoryBytes = memory,
            Seed = reading.Seed,
        };

        private void Add(List<ScenarioMigration> migrations, List<ScenarioMachine> machines, MigrationDescription migration, string path)
        {
            ulong bandwidth = migration.Bandwidth is null ? MigrationOptions.DefaultBandwidth : Bandwidth($"{path}.bandwidth", migration.Bandwidth);
            if (migration.At > MostNanoseconds)
                Refuse($"{path}.at", $"must be 0 to {MostNanoseconds} virtual nanoseconds, not {migration.At}");
            if (migration.Latency > MostMigrationNanoseconds)
                Refuse($"{path}.latency", $"must be 0 to {MostMigrationNanoseconds}, not {migration.Latency}");
            if (migration.Downtime > MostMigrationNanoseconds)
                Refuse($"{path}.downtime", $"must be 0 to {MostMigrationNanoseconds}, not {migration.Downtime}");
            if (migration.Rounds is < 1 or > MostMigrationRounds)
                Refuse($"{path}.rounds", $"must be 1 to {MostMigrationRounds}, not {migration.Rounds}");
            int machine = machines.FindIndex(known => known.Name == migration.Machine);
            if (machine < 0)
            {
                Refuse($"{path}.machine", $"there is no machine '{migration.Machine}'{Suggestion.Ending(migration.Machine, [.. machines.Select(known => known.Name)])}");
                return;
            }

            if (migrations.Exists(other => other.Machine == machine))
                Refuse($"{path}.machine", $"'{migration.Machine}' moves already; a machine moves once");
            bool hasLog = reading.Machine.Mmu.Nested is { Format: NestedFormat.Ept, AccessedAndDirty: true };
            migrations.Add(new ScenarioMigration
            {
                Machine = machine,
                AtNanoseconds = migration.At,
                Options = new MigrationOptions
                {
                    BandwidthBytesPerSecond = bandwidth,
                    LatencyNanoseconds = migration.Latency ?? MigrationOptions.DefaultLatencyNanoseconds,
                    MostRounds = migration.Rounds ?? MigrationOptions.DefaultMostRounds,
                    DowntimeNanoseconds = migration.Downtime ?? MigrationOptions.DefaultDowntimeNanoseconds,
                    Method = hasLog ? DirtyLogMethod.PageModificationLog : DirtyLogMethod.WriteProtection,
                },
            });
        }

        // Not scaled: it is no size of the scenario's.
        private ulong Bandwidth(string path, string text)
        {
            if (TryReadSize(text, out ulong bytes) && bytes >= 4096)
                return bytes;
            Refuse(path, $"'{text}' is not a number of bytes a second from 4K to 1T; it looks like 125M or 1G");
            return MigrationOptions.DefaultBandwidth;
        }

        private void CheckTogether(ulong host, List<ScenarioMachine> machines)
        {
            if (errors.Count > 0)
                return;
            ulong frames = host >> 12;
            ulong promised = machines.Aggregate(0UL, (sum, machine) => sum + machine.LeastFrames);
            if (promised > frames)
                Refuse("hostMemory", $"has {frames} frames, and what 'min' promises is {promised}");
            if (frames < LeastHostFramesOfMachine * (ulong)machines.Count)
                Refuse("hostMemory", $"has {frames} frames; {machines.Count} machines need {LeastHostFramesOfMachine} each at least");
        }

        private ulong Size(string path, string text, ulong least)
        {
            if (!TryReadSize(text, out ulong bytes))
            {
                Refuse(path, $"'{text}' is not a size of at most 1T; sizes look like 64M or 1G");
                return least;
            }

            ulong scaled = (ulong)((UInt128)bytes * reading.ScaleFactor / reading.ScaleDivisor) & ~0xFFFUL;
            if (scaled >= least && scaled <= RunOptions.MaximumMemoryBytes)
                return scaled;
            Refuse(path, $"'{text}'{(reading.ScaleFactor == reading.ScaleDivisor ? "" : " after scaling")} must be {(least >= 1 << 20 ? $"{least >> 20}M" : $"{least >> 10}K")} to 1T");
            return least;
        }

        private static bool TryReadSize(string text, out ulong bytes)
        {
            int shift = text.Length == 0 ? 0 : char.ToUpperInvariant(text[^1]) switch
            {
                'K' => 10,
                'M' => 20,
                'G' => 30,
                'T' => 40,
                _ => 0,
            };
            bool isSize = ulong.TryParse(shift == 0 ? text : text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out ulong value)
                && value <= RunOptions.MaximumMemoryBytes >> shift;
            bytes = value << shift;
            return isSize;
        }

        private void Refuse(string path, string message) => errors.Add(new ConfigurationError(path, message));
    }
}
