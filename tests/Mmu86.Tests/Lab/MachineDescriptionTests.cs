using System.Text;
using System.Text.Json.Nodes;
using Mmu86.Lab;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Machines;
using Mmu86.Paging;
using Xunit;

namespace Mmu86.Tests.Lab;

public sealed class MachineDescriptionTests
{
    public static TheoryData<string> Presets => [.. MachineCatalogue.Names];

    [Theory]
    [MemberData(nameof(Presets))]
    public void Write_Preset_ReadsBackToTheSameText(string name)
    {
        string written = MachineJson.Write(MachineCatalogue.Preset(name));
        MachineDescription? read = MachineJson.Read(Encoding.UTF8.GetBytes(written), out IReadOnlyList<ConfigurationError> errors);
        Assert.Empty(errors);
        Assert.Equal(name, read!.Name);
        Assert.Equal(written, MachineJson.Write(read));
    }

    [Theory]
    [MemberData(nameof(Presets))]
    public void Sources_Preset_CoverEveryNumber(string name)
    {
        MachineDescription machine = MachineCatalogue.Preset(name);
        JsonNode document = JsonNode.Parse(MachineJson.Write(machine))!;
        JsonNode[] sourced = [.. machine.Sources!.Keys.Select(path =>
        {
            Assert.True(ConfigurationPath.TryResolve(document, path, out JsonNode? node, out string problem), $"{path}: {problem}");
            return node!;
        })];
        foreach (JsonNode number in Numbers(document))
            Assert.True(Ancestors(number).Any(sourced.Contains), $"{number.GetPath()} has no source");
    }

    [Fact]
    public void Skylake_SecondLevel_IsTheMeasuredStructureNotTheReportedOne()
    {
        MmuConfiguration mmu = MachineCatalogue.Preset("skylake").ToMmuConfiguration(seed: 7);
        TlbArrayConfiguration l2 = mmu.L2.Arrays[0];
        Assert.Equal((128, 12, IndexHash.Xor, Replacement.Mru3Plru), (l2.Sets, l2.Ways, l2.Hash, l2.Replacement));
        Assert.Equal(7UL, mmu.Seed);
        Assert.True(mmu.HasPage1G);
        Assert.Equal(39, mmu.PhysicalAddressBits);
    }

    [Fact]
    public void Uncached_Always_HasNoTlbAndNoStructureCache()
    {
        MmuConfiguration mmu = MachineCatalogue.Preset("uncached").ToMmuConfiguration(seed: 1);
        Assert.Empty(mmu.L1Instruction.Arrays.Concat(mmu.L1Data.Arrays).Concat(mmu.L2.Arrays));
        StructureCachesConfiguration caches = mmu.StructureCaches;
        Assert.All(
            [caches.Pml4e, caches.Pdpte, caches.Pde, caches.EptPml4e, caches.EptPdpte, caches.EptPde, caches.NestedTlb],
            cache => Assert.Equal(0, cache.Entries));
        Assert.True(mmu.LookUpEveryAccess);
    }

    [Fact]
    public void ForFastFidelity_Skylake_KeepsWhatTheGuestSees()
    {
        MachineDescription skylake = MachineCatalogue.Preset("skylake");
        MachineDescription fast = MachineCatalogue.ForFastFidelity(skylake);
        Assert.Same(skylake.Cpuid, fast.Cpuid);
        Assert.Equal(skylake.Name, fast.Name);
        Assert.NotEqual(skylake.Mmu.L1Data.Arrays[0].Sets, fast.Mmu.L1Data.Arrays[0].Sets);
        Assert.DoesNotContain("fast", MachineCatalogue.Names);
    }

    [Fact]
    public void Read_SeveralMistakes_ReportsAllWithTheirPaths()
    {
        JsonNode document = JsonNode.Parse(MachineJson.Write(MachineCatalogue.Preset("skylake")))!;
        document["mmu"]!["l1Data"]!["arrays"]![0]!["wayss"] = 4;
        document["mmu"]!["l1Data"]!["arrays"]![1]!["sets"] = "eight";
        document["mmu"]!["l2"]!["arrays"]![0]!["replacement"] = "plru";
        document["cpuid"]!.AsObject().Remove("vendor");
        Assert.Null(MachineJson.Read(Utf8(document), out IReadOnlyList<ConfigurationError> errors));
        Assert.Equal(
            [
                "mmu.l1Data.arrays[0].wayss: unknown key; did you mean 'ways'?",
                "mmu.l1Data.arrays[1].sets: must be an integer of at most 2147483647, not 'eight'",
                "mmu.l2.arrays[0].replacement: must be one of lru, treePlru, mru3Plru, fifo, random, nru, srrip, permutation, not 'plru'; did you mean 'lru'?",
                "cpuid.vendor: is missing",
            ],
            errors.Select(error => error.ToString()).OrderBy(text => text.StartsWith('c')));
    }

    [Theory]
    [InlineData("mmu.l1Data.arrays[0].ways=3", "mmu.l1Data.arrays[0].ways: must be a power of two for treePlru, not 3")]
    [InlineData("mmu.l1Data.arrays[0].ways=128", "mmu.l1Data.arrays[0].ways: must be at most 64 for treePlru, not 128")]
    [InlineData("mmu.l1Data.arrays[0].ways=-4", "mmu.l1Data.arrays[0].ways: must be 1 to 4096, not -4")]
    [InlineData("mmu.l1Data.arrays[0].ways=0", "mmu.l1Data.arrays[0].ways: is 0: an array without bounds has 0 sets and 0 ways, any other at least 1 of both")]
    [InlineData("mmu.l1Data.arrays[0].sets=99999999", "mmu.l1Data.arrays[0].sets: must be 1 to 65536, not 99999999")]
    [InlineData("mmu.l2.arrays[0].ways=18", "mmu.l2.arrays[0].ways: must be three times a power of two for mru3Plru, not 18")]
    [InlineData("mmu.l2.arrays[0].ways=8", "mmu.l2.arrays[0].ways: must be three times a power of two for mru3Plru, not 8")]
    [InlineData("mmu.l2.arrays[0].sets=100", "mmu.l2.arrays[0].sets: must be a power of two for xor, not 100")]
    [InlineData("mmu.l2.arrays[0].sets=65536", null)]
    [InlineData("mmu.l1Data.arrays[0].hash=skewed", "mmu.l1Data.arrays[0].replacement: must be lru, fifo, random or nru in a skewed array: it has no sets for treePlru to work on")]
    [InlineData("mmu.l1Data.arrays[0].hash=masks", "mmu.l1Data.arrays[0].indexMasks: is missing: the hash masks needs one for each bit of the index, the lowest first")]
    [InlineData("mmu.l1Data.arrays[0].replacement=permutation", "mmu.l1Data.arrays[0].permutations: is missing: permutation needs one for a hit at each position, and one for a fill")]
    [InlineData("mmu.l1Data.arrays[0].replacement=nru", null)]
    [InlineData("mmu.l1Data.arrays[0].replacement=srrip", null)]
    [InlineData("mmu.structureCaches.pde.replacement=srrip", "mmu.structureCaches.pde.replacement: srrip is for TLB arrays only")]
    [InlineData("mmu.structureCaches.pde.replacement=nru", null)]
    [InlineData("mmu.l1Data.arrays[0].name=l1i-4k", "mmu.l1Data.arrays[0].name: 'l1i-4k' is the name of mmu.l1Instruction.arrays[0] already")]
    [InlineData("mmu.l1Data.arrays[0].pageSizes=[\"4k\",\"4k\"]", "mmu.l1Data.arrays[0].pageSizes[1]: '4k' appears twice")]
    [InlineData("mmu.l1Data.arrays[0].pageSizes=[\"16k\"]", "mmu.l1Data.arrays[0].pageSizes[0]: must be one of 4k, 2m, 1g, not '16k'")]
    [InlineData("mmu.l1Data.arrays[0].pageSizes=[]", "mmu.l1Data.arrays[0].pageSizes: must name at least one of 4k, 2m, 1g")]
    [InlineData("mmu.structureCaches.pde.ways=5", "mmu.structureCaches.pde.ways: must divide the 32 entries, and 5 does not")]
    [InlineData("mmu.structureCaches.pde.entries=0", "mmu.structureCaches.pde.ways: must be 0 where entries are 0: the cache does not exist")]
    [InlineData("mmu.structureCaches.pde.entries=24", null)]
    [InlineData("mmu.latencies.l2HitCycles=-1", "mmu.latencies.l2HitCycles: must be 0 to 1000000, not -1")]
    [InlineData("cpuid.physicalAddressBits=53", "cpuid.physicalAddressBits: must be 36 to 52, not 53")]
    [InlineData("cpuid.physicalAddressBits=35", "cpuid.physicalAddressBits: must be 36 to 52, not 35")]
    [InlineData("cpuid.linearAddressBits=47", "cpuid.linearAddressBits: must be 48, or 57 with the feature 'la57', not 47")]
    [InlineData("cpuid.linearAddressBits=57", "cpuid.linearAddressBits: must be 48, or 57 with the feature 'la57', not 57")]
    [InlineData("cpuid.vendor=Intel", "cpuid.vendor: must have exactly 12 printable ASCII characters")]
    [InlineData("cpuid.features[0]=tsd", "cpuid.features[0]: 'tsd' is not a feature that Mmu86 has; did you mean 'tsc'?")]
    [InlineData("cpuid.features=[\"msr\",\"pae\"]", "cpuid.features: must have 'lm': 64-bit mode needs it")]
    [InlineData("cpuid.tlbDescriptors[0]=63", "cpuid.tlbDescriptors[0]: must be a byte such as 0x63, not '63'")]
    [InlineData("clock.frequencyHertz=0", "clock.frequencyHertz: must be 1 to 1000000000000, not 0")]
    [InlineData("caches.l3.replacement=treePlru", "caches.l3.ways: must be a power of two for treePlru, not 12")]
    [InlineData("caches.l1Data.ways=0", "caches.l1Data.ways: must be 1 to 64, not 0")]
    [InlineData("caches.l2.sizeInBytes=262145", "caches.l2.sizeInBytes: must be a multiple of ways times lineBytes, 256, and 262145 is not")]
    [InlineData("caches.l2.sizeInBytes=768", null)]
    [InlineData("caches.l2.lineBytes=128", "caches.l2.lineBytes: must be 64 as in caches.l1Data, not 128")]
    [InlineData("caches.l2.latencyCycles=3", "caches.l2.latencyCycles: must be at least the 4 of the level above, not 3")]
    [InlineData("caches.memoryLatencyCycles=43", "caches.memoryLatencyCycles: must be at least the 44 of the slowest cache, not 43")]
    [InlineData("caches.overlappingAccesses=0", "caches.overlappingAccesses: must be 1 to 64, not 0")]
    [InlineData("caches.walkers=17", "caches.walkers: must be 1 to 16, not 17")]
    [InlineData("caches.walksEnterAt=l2", null)]
    public void Apply_ImpossibleValue_IsRefusedByItsPath(string overriding, string? message)
    {
        Action apply = () => MachineOverrides.Apply(MachineCatalogue.Preset("skylake"), [overriding]);
        if (message is null)
        {
            apply();
            return;
        }

        ConfigurationException refused = Assert.Throws<ConfigurationException>(apply);
        Assert.Equal(message, Assert.Single(refused.Errors).ToString());
        Assert.Equal(ConfigurationOrigin.CommandLine, refused.Origin);
    }

    [Theory]
    [InlineData("\"hash\": \"masks\", \"indexMasks\": [\"0x11\", \"0x22\"], \"replacement\": \"lru\"", null)]
    [InlineData("\"hash\": \"masks\", \"indexMasks\": [\"0x11\"], \"replacement\": \"lru\"", "indexMasks: must have 2 masks for 4 sets, not 1")]
    [InlineData("\"hash\": \"masks\", \"indexMasks\": [\"17\", \"0x22\"], \"replacement\": \"lru\"", "indexMasks[0]: must be the bits of a page number, such as 0x81, at most 45 of them and not none, not '17'")]
    [InlineData("\"hash\": \"masks\", \"indexMasks\": [\"0x1\", \"0x200000000000\"], \"replacement\": \"lru\"", "indexMasks[1]: must be the bits of a page number, such as 0x81, at most 45 of them and not none, not '0x200000000000'")]
    [InlineData("\"hash\": \"xor\", \"indexMasks\": [\"0x11\", \"0x22\"], \"replacement\": \"lru\"", "indexMasks: must be absent: belongs to the hash masks, not to xor")]
    [InlineData("\"hash\": \"linear\", \"replacement\": \"permutation\", \"permutations\": [[1, 0], [0, 1], [1, 0]]", null)]
    [InlineData("\"hash\": \"linear\", \"replacement\": \"permutation\", \"permutations\": [[1, 0], [0, 1]]", "permutations: must have 3 lists for 2 ways, not 2")]
    [InlineData("\"hash\": \"linear\", \"replacement\": \"permutation\", \"permutations\": [[1, 1], [0, 1], [1, 0]]", "permutations[0]: must have the numbers 0 to 1, each once")]
    [InlineData("\"hash\": \"linear\", \"replacement\": \"lru\", \"serves\": \"loads\"", "serves: must be absent: only the first level of data tells loads from stores")]
    [InlineData("\"hash\": \"linear\", \"replacement\": \"lru\", \"permutations\": [[1, 0], [0, 1], [1, 0]]", "permutations: must be absent: belongs to the replacement permutation, not to lru")]
    public void Apply_ArrayWithKeysOfItsHashOrReplacement_IsHeldAgainstThem(string keys, string? message)
    {
        string array = $"{{ \"name\": \"l2\", \"pageSizes\": [\"4k\"], \"sets\": 4, \"ways\": 2, {keys} }}";
        Action apply = () => MachineOverrides.Apply(MachineCatalogue.Preset("skylake"), [$"mmu.l2.arrays=[{array}]"]);
        if (message is null)
            apply();
        else
            Assert.Equal($"mmu.l2.arrays[0].{message}", Assert.Single(Assert.Throws<ConfigurationException>(apply).Errors).ToString());
    }

    [Theory]
    [InlineData("mmu={ MMU, \"prefetch\": { \"kind\": \"next\", \"degree\": 17 } }", "mmu.prefetch.degree: must be 1 to 16, not 17")]
    [InlineData("mmu={ MMU, \"prefetch\": { \"kind\": \"distance\", \"degree\": 2 } }", "mmu.prefetch.tableEntries: is missing: the kind distance has a table")]
    [InlineData("mmu={ MMU, \"prefetch\": { \"kind\": \"next\", \"degree\": 2, \"tableEntries\": 8 } }", "mmu.prefetch.tableEntries: must be absent: belongs to the kind distance, not to next")]
    [InlineData("mmu.structureCaches.pde={ \"entries\": 24, \"ways\": 4, \"replacement\": \"lru\", \"hash\": \"xor\" }", "mmu.structureCaches.pde.hash: xor needs sets to be a power of two, not 6")]
    [InlineData("mmu.structureCaches.pde={ \"entries\": 32, \"ways\": 4, \"replacement\": \"lru\", \"hash\": \"skewed\" }", "mmu.structureCaches.pde.hash: skewed is for TLB arrays only")]
    [InlineData("mmu.l2={ \"arrays\": [], \"inclusion\": \"inclusive\" }", "mmu.l2.inclusion: inclusive needs arrays for 4k, 2m, 1g, which mmu.l1Data holds")]
    [InlineData("mmu.l1Data={ \"arrays\": [], \"inclusion\": \"exclusive\" }", "mmu.l1Data.inclusion: must be absent: a second level includes the first, or does not")]
    [InlineData("mmu.l1Data={ \"arrays\": [ARRAY], \"pcidSlots\": -1 }", "mmu.l1Data.pcidSlots: must be 0 to 4096, not -1")]
    [InlineData("mmu.l1Data={ \"arrays\": [ARRAY], \"pcidSlots\": 0 }", "mmu.l1Data.arrays: must have an array that serves stores")]
    public void Apply_LevelThatCannotBe_IsRefusedByItsPath(string overriding, string message)
    {
        string array = "{ \"name\": \"only\", \"pageSizes\": [\"4k\"], \"sets\": 4, \"ways\": 2, \"hash\": \"linear\", \"replacement\": \"lru\", \"serves\": \"loads\" }";
        ConfigurationException refused = Assert.Throws<ConfigurationException>(() => MachineOverrides.Apply(
            MachineCatalogue.Preset("skylake"),
            [overriding.Replace("ARRAY", array, StringComparison.Ordinal).Replace("MMU", SkylakeMmu, StringComparison.Ordinal)]));
        Assert.Contains(message, refused.Errors.Select(error => error.ToString()));
    }

    [Theory]
    [InlineData("mmu.lookUpEveryAccess=false", "")]
    [InlineData("mmu.lookUpEveryAccess=true", "mmu.l1Instruction mmu.l1Data")]
    [InlineData("mmu.l1Instruction.arrays[0].replacement=srrip", "mmu.l1Instruction")]
    [InlineData("mmu.l1Data.arrays[0].replacement=srrip", "")]
    [InlineData("mmu.l1Data.arrays=[]", "mmu.l1Data")]
    public void FilterNotes_OfAMachine_NameTheLevelsThatAreLookedUp(string overriding, string levels) => Assert.Equal(
        levels,
        string.Join(' ', FilterNotes.Of(MachineOverrides.Apply(MachineCatalogue.Preset("skylake"), [overriding]).Mmu).Select(note => note[..note.IndexOf(':')])));

    [Fact]
    public void Apply_TooManyEntries_IsRefusedAsAWhole()
    {
        ConfigurationException refused = Assert.Throws<ConfigurationException>(() => MachineOverrides.Apply(
            MachineCatalogue.Preset("skylake"),
            ["mmu.l1Data.arrays[l1d-4k].replacement=lru", "mmu.l1Data.arrays[l1d-4k].sets=65536", "mmu.l1Data.arrays[l1d-4k].ways=32"]));
        Assert.Equal("mmu.l1Data.arrays[0]: has 2097152 entries; at most 1048576 are possible", Assert.Single(refused.Errors).ToString());
    }

    [Theory]
    [InlineData("mmu.l1Data.arrays[0].ways=8")]
    [InlineData("mmu.l1Data.arrays[l1d-4k].ways=8")]
    public void Apply_ByNumberOrName_ChangesTheSameValueAndItsSource(string overriding)
    {
        MachineDescription machine = MachineOverrides.Apply(MachineCatalogue.Preset("skylake"), [overriding]);
        Assert.Equal(8, machine.Mmu.L1Data.Arrays[0].Ways);
        Assert.Equal("--set", machine.Sources![overriding[..^2]]);
    }

    [Theory]
    [InlineData("mmu.l1Data.arrays[l1d-4k].replacement=lru")]
    [InlineData("mmu.l1Data.arrays[l1d-4k].replacement=\"lru\"")]
    public void Apply_TextWithOrWithoutQuotes_IsTheText(string overriding) =>
        Assert.Equal(Replacement.Lru, MachineOverrides.Apply(MachineCatalogue.Preset("skylake"), [overriding]).Mmu.L1Data.Arrays[0].Replacement);

    [Fact]
    public void Apply_DigitsForAText_StayAText() =>
        Assert.Equal("12345", MachineOverrides.Apply(MachineCatalogue.Preset("skylake"), ["name=12345"]).Name);

    [Fact]
    public void Apply_WholeLevel_ReplacesIt() =>
        Assert.Empty(MachineOverrides.Apply(MachineCatalogue.Preset("skylake"), ["mmu.l2.arrays=[]"]).Mmu.L2.Arrays);

    [Theory]
    [InlineData("{ \"name\": \"a\", \"pageSizes\": [\"4k\"], \"coalescedPages\": 3, \"sets\": 1, \"ways\": 4, \"hash\": \"linear\", \"replacement\": \"lru\" }", "mmu.l2.arrays[0].coalescedPages: must be 2, 4, 8 or 16, not 3")]
    [InlineData("{ \"name\": \"a\", \"pageSizes\": [], \"sets\": 1, \"ways\": 4, \"hash\": \"linear\", \"replacement\": \"lru\" }", "mmu.l2.arrays[0].pageSizes: must name at least one of 4k, 2m, 1g")]
    public void Read_ImpossibleGroups_AreRefused(string array, string message)
    {
        ConfigurationException refused = Assert.Throws<ConfigurationException>(() => MachineOverrides.Apply(MachineCatalogue.Preset("skylake"), [$"mmu.l2.arrays=[{array}]"]));
        Assert.Equal(message, Assert.Single(refused.Errors).ToString());
    }

    [Theory]
    [InlineData("mmu.l1Data.arrays[l1d-2m].coalescedPages=8", "mmu.l1Data.arrays[1].coalescedPages: must be 4 as in another array of the level, not 8")]
    [InlineData("mmu.l2.inclusion=inclusive", "mmu.l2.inclusion: inclusive needs an array with coalescedPages 4, as mmu.l1Data has")]
    public void Apply_GroupsThatDoNotAgree_AreRefused(string overriding, string message)
    {
        ConfigurationException refused = Assert.Throws<ConfigurationException>(
            () => MachineOverrides.Apply(MachineCatalogue.Preset("skylake"), ["mmu.l1Data.arrays[l1d-4k].coalescedPages=4", overriding]));
        Assert.Equal(message, Assert.Single(refused.Errors).ToString());
    }

    [Fact]
    public void Apply_KeyThatMayBeAbsent_AddsIt()
    {
        MachineDescription machine = MachineOverrides.Apply(
            MachineCatalogue.Preset("skylake"), ["mmu.l2.inclusion=exclusive", "mmu.l1Data.arrays[l1d-4k].serves=loads", "mmu.prefetch={\"kind\":\"next\",\"degree\":2}"]);
        Assert.Equal((Inclusion.Exclusive, AccessesServed.Loads, 2), (machine.Mmu.L2.Inclusion, machine.Mmu.L1Data.Arrays[0].Serves, machine.Mmu.Prefetch!.Degree));
        Assert.Equal("--set", machine.Sources!["mmu.l2.inclusion"]);
    }

    [Theory]
    [InlineData("mmu.l1Date.arrays[0].ways=8", "mmu.l1Date.arrays[0].ways: no value of this name; did you mean 'mmu.l1Data.arrays[0].ways'?")]
    [InlineData("mmu.l1Data.arrays[3].ways=8", "mmu.l1Data.arrays[3].ways: 'mmu.l1Data.arrays' has items 0 to 2")]
    [InlineData("mmu.l1Data.arrays[l1d].ways=8", "mmu.l1Data.arrays[l1d].ways: no item of this name; did you mean 'mmu.l1Data.arrays[l1d-4k].ways'?")]
    [InlineData("mmu.l1Data.arrays[0.ways=8", "mmu.l1Data.arrays[0.ways: ']' is missing")]
    [InlineData("mmu[0]=8", "mmu[0]: 'mmu' is not a list")]
    [InlineData("name.first=8", "name.first: 'name' has no members")]
    [InlineData("mmu..l2=8", "mmu..l2: a name is missing after 'mmu'")]
    [InlineData("mmu.l2.arrays", "mmu.l2.arrays: must be PATH=VALUE, such as mmu.l1Data.arrays[0].ways=8")]
    [InlineData("=8", "=8: must be PATH=VALUE, such as mmu.l1Data.arrays[0].ways=8")]
    public void Apply_PathThatNamesNothing_SaysWhereAndSuggests(string overriding, string message)
    {
        ConfigurationException refused = Assert.Throws<ConfigurationException>(() => MachineOverrides.Apply(MachineCatalogue.Preset("skylake"), [overriding]));
        Assert.Equal(message, Assert.Single(refused.Errors).ToString());
    }

    [Theory]
    [InlineData(Fidelity.Tlb)]
    [InlineData(Fidelity.Cycles)]
    public void RequireTimeOf_CycleClock_IsForFidelitiesWithCycles(Fidelity fidelity)
    {
        MachineDescription machine = MachineOverrides.Apply(MachineCatalogue.Preset("skylake"), ["clock.counts=cycles"]);
        MachineCatalogue.RequireTimeOf(machine, fidelity);
        ConfigurationException refused = Assert.Throws<ConfigurationException>(() => MachineCatalogue.RequireTimeOf(machine, Fidelity.Fast));
        Assert.Equal(ConfigurationOrigin.CommandLine, refused.Origin);
        Assert.Contains("clock.counts", refused.Message);
    }

    [Fact]
    public void RequireTimeOf_MachineWithoutCaches_HasNoCycles()
    {
        MachineDescription machine = MachineCatalogue.Preset("skylake") with { Caches = null };
        MachineCatalogue.RequireTimeOf(machine, Fidelity.Tlb);
        ConfigurationException refused = Assert.Throws<ConfigurationException>(() => MachineCatalogue.RequireTimeOf(machine, Fidelity.Cycles));
        Assert.Equal(ConfigurationOrigin.File, refused.Origin);
        Assert.Equal("machine skylake: caches: is missing, and --fidelity cycles needs it", refused.Message);
    }

    [Theory]
    [InlineData("", "is not JSON at line 1, byte 1")]
    [InlineData("{ \"name\": }", "is not JSON at line 1, byte 11")]
    [InlineData("{ \"\\ud800\": 1 }", "has a text with half of a surrogate pair")]
    [InlineData("[]", "must be an object, not a list")]
    [InlineData("null", "must be an object, not null")]
    public void Read_NotAMachine_SaysWhere(string text, string message)
    {
        Assert.Null(MachineJson.Read(Encoding.UTF8.GetBytes(text), out IReadOnlyList<ConfigurationError> errors));
        Assert.Equal(message, errors[0].ToString());
    }

    [Fact]
    public void Read_ByteOrderMark_IsSkipped()
    {
        byte[] marked = [0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes(MachineJson.Write(MachineCatalogue.Preset("ideal")))];
        Assert.Equal("ideal", MachineJson.Read(marked, out _)!.Name);
    }

    [Theory]
    [InlineData("/dev/zero", "is larger than 1048576 bytes")]
    [InlineData("/dev/null", "is not JSON at line 1, byte 1")]
    public void Find_DeviceWithoutLength_IsReadToTheBound(string path, string problem)
    {
        ConfigurationException refused = Assert.Throws<ConfigurationException>(() => MachineCatalogue.Find(path, []));
        Assert.Equal($"machine file {path}: {problem}", refused.Message);
    }

    [Fact]
    public void Read_RandomlyDamagedDocument_IsReadOrRefusedButNeverThrows()
    {
        byte[] original = Encoding.UTF8.GetBytes(MachineJson.Write(MachineCatalogue.Preset("skylake")));
        var random = new Random(86);
        int refused = 0;
        for (int round = 0; round < 2000; round++)
        {
            byte[] damaged = [.. original];
            for (int i = random.Next(1, 4); i > 0; i--)
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            if (MachineJson.Read(damaged, out IReadOnlyList<ConfigurationError> errors) is null)
            {
                Assert.NotEmpty(errors);
                refused++;
            }
        }

        Assert.InRange(refused, 1000, 2000);
    }

    [Theory]
    [InlineData("skylke", ConfigurationOrigin.File, "machine skylke: is neither a preset nor a file; did you mean 'skylake'?")]
    [InlineData("zen6", ConfigurationOrigin.File, "machine zen6: is neither a preset nor a file; did you mean 'zen1'?")]
    [InlineData("/", ConfigurationOrigin.File, "machine /: is neither a preset nor a file; 'list machines' shows the presets")]
    public void Find_NameThatIsNoMachine_SaysWhatThereIs(string name, ConfigurationOrigin origin, string message)
    {
        ConfigurationException refused = Assert.Throws<ConfigurationException>(() => MachineCatalogue.Find(name, []));
        Assert.Equal((origin, message), (refused.Origin, refused.Message));
    }

    // The members of the section, without its braces.
    private static string SkylakeMmu =>
        JsonNode.Parse(MachineJson.Write(MachineCatalogue.Preset("skylake")))!["mmu"]!.ToJsonString()[1..^1];

    private static byte[] Utf8(JsonNode node) => Encoding.UTF8.GetBytes(node.ToJsonString());

    private static IEnumerable<JsonNode> Numbers(JsonNode node) => node switch
    {
        JsonObject members => members.Where(pair => pair.Key != "sources").SelectMany(pair => Numbers(pair.Value!)),
        JsonArray items => items.SelectMany(item => Numbers(item!)),
        _ => node.GetValueKind() == System.Text.Json.JsonValueKind.Number ? [node] : [],
    };

    private static IEnumerable<JsonNode> Ancestors(JsonNode? node)
    {
        for (; node is not null; node = node.Parent)
            yield return node;
    }
}
