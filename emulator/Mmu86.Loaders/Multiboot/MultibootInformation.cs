using System.Buffers.Binary;
using System.Text;
using Mmu86.X86;

namespace Mmu86.Loaders.Multiboot;

/// <summary>The structure in which a kernel finds memory, command line and modules. Multiboot Specification 0.6.96, "Boot information format".</summary>
/// <remarks>One block: the structure, the memory map, the list of modules, and the strings.</remarks>
internal static class MultibootInformation
{
    private const string LoaderName = "Mmu86";

    private const uint HasMemory = 1 << 0;
    private const uint HasCommandLine = 1 << 2;
    private const uint HasModules = 1 << 3;
    private const uint HasMemoryMap = 1 << 6;
    private const uint HasLoaderName = 1 << 9;

    private const int StructureBytes = 120;
    private const int MapEntryBytes = 24; // the size field, and the 20 bytes that it counts
    private const int ModuleBytes = 16;

    private const uint Available = 1;
    private const uint Reserved = 2;

    private const uint LowMemoryKibibytes = 640;
    private const ulong LowMemoryEnd = 0x9_FC00; // the last KiB belongs to firmware
    private const ulong HighMemory = 0x10_0000;

    /// <summary>Where a module was put.</summary>
    public readonly record struct PlacedModule(GuestPhysicalAddress Start, int Length, string CommandLine);

    /// <summary>How many bytes <see cref="Make"/> makes.</summary>
    public static int Size(GuestPhysicalLayout layout, string commandLine, IReadOnlyList<MultibootModule> modules) =>
        Make(layout, commandLine, [.. modules.Select(module => new PlacedModule(default, 0, module.CommandLine))], 0).Length;

    /// <summary>Makes the block.</summary>
    /// <param name="layout">Where RAM lies.</param>
    /// <param name="commandLine">The kernel's command line.</param>
    /// <param name="modules">Where the modules were put.</param>
    /// <param name="address">Where the block will be.</param>
    public static byte[] Make(GuestPhysicalLayout layout, string commandLine, IReadOnlyList<PlacedModule> modules, uint address)
    {
        List<(ulong Start, ulong Length, uint Type)> map = Map(layout);
        int mapAt = StructureBytes;
        int modulesAt = mapAt + (map.Count * MapEntryBytes);
        int stringsAt = modulesAt + (modules.Count * ModuleBytes);
        var strings = new MemoryStream();
        uint commandLineAt = Add(commandLine);
        uint loaderNameAt = Add(LoaderName);
        uint[] moduleNames = [.. modules.Select(module => Add(module.CommandLine))];

        byte[] block = new byte[stringsAt + (int)strings.Length];
        strings.ToArray().CopyTo(block, stringsAt);
        Put(0, HasMemory | HasCommandLine | HasMemoryMap | HasLoaderName | (modules.Count == 0 ? 0 : HasModules));
        Put(4, LowMemoryKibibytes);
        Put(8, layout.LowTop.Value > HighMemory ? (uint)((layout.LowTop.Value - HighMemory) >> 10) : 0);
        Put(16, commandLineAt);
        Put(20, (uint)modules.Count);
        Put(24, modules.Count == 0 ? 0 : address + (uint)modulesAt);
        Put(44, (uint)(map.Count * MapEntryBytes));
        Put(48, address + (uint)mapAt);
        Put(64, loaderNameAt);
        for (int i = 0; i < map.Count; i++)
        {
            Span<byte> entry = block.AsSpan(mapAt + (i * MapEntryBytes));
            BinaryPrimitives.WriteUInt32LittleEndian(entry, MapEntryBytes - sizeof(uint));
            BinaryPrimitives.WriteUInt64LittleEndian(entry[4..], map[i].Start);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[12..], map[i].Length);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[20..], map[i].Type);
        }

        for (int i = 0; i < modules.Count; i++)
        {
            var start = (uint)modules[i].Start.Value;
            Put(modulesAt + (i * ModuleBytes), start);
            Put(modulesAt + (i * ModuleBytes) + 4, start + (uint)modules[i].Length);
            Put(modulesAt + (i * ModuleBytes) + 8, moduleNames[i]);
        }

        return block;

        void Put(int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(block.AsSpan(offset), value);

        uint Add(string text)
        {
            uint at = address + (uint)stringsAt + (uint)strings.Length;
            strings.Write(Encoding.UTF8.GetBytes(text));
            strings.WriteByte(0);
            return at;
        }
    }

    private static List<(ulong Start, ulong Length, uint Type)> Map(GuestPhysicalLayout layout)
    {
        const ulong FirmwareStart = 0xF_0000, DevicesStart = 0xFEC0_0000;
        ulong low = layout.LowTop.Value;
        List<(ulong, ulong, uint)> map =
        [
            (0, LowMemoryEnd, Available),
            (LowMemoryEnd, 0xA_0000 - LowMemoryEnd, Reserved),
            (FirmwareStart, HighMemory - FirmwareStart, Reserved),
        ];
        if (low > HighMemory)
            map.Add((HighMemory, low - HighMemory, Available));
        map.Add((DevicesStart, GuestPhysicalLayout.HoleEnd.Value - DevicesStart, Reserved));
        if (layout.HighTop.Value > GuestPhysicalLayout.HoleEnd.Value)
            map.Add((GuestPhysicalLayout.HoleEnd.Value, layout.HighTop.Value - GuestPhysicalLayout.HoleEnd.Value, Available));
        return map;
    }
}
