using System.Buffers.Binary;
using System.Globalization;

namespace Mmu86.Tests.Loaders;

/// <summary>Changes fields of an ELF file by their names, as the tables in tests/data/loaders write them.</summary>
internal static class ElfPatch
{
    private const int HeaderBytes = 64;
    private const int ProgramHeaderBytes = 56;
    private const int SectionHeaderBytes = 64;
    private const int SymbolBytes = 24;
    private const int SectionTableOffsetField = 40;
    private const int SectionOffsetField = 24;

    private static readonly Dictionary<string, (int Offset, int Size)> Fields = new()
    {
        ["EI_MAG0"] = (0, 1),
        ["EI_MAG3"] = (3, 1),
        ["EI_CLASS"] = (4, 1),
        ["EI_DATA"] = (5, 1),
        ["EI_VERSION"] = (6, 1),
        ["EI_OSABI"] = (7, 1),
        ["e_type"] = (16, 2),
        ["e_machine"] = (18, 2),
        ["e_version"] = (20, 4),
        ["e_entry"] = (24, 8),
        ["e_phoff"] = (32, 8),
        ["e_shoff"] = (40, 8),
        ["e_flags"] = (48, 4),
        ["e_ehsize"] = (52, 2),
        ["e_phentsize"] = (54, 2),
        ["e_phnum"] = (56, 2),
        ["e_shentsize"] = (58, 2),
        ["e_shnum"] = (60, 2),
        ["p_type"] = (0, 4),
        ["p_flags"] = (4, 4),
        ["p_offset"] = (8, 8),
        ["p_vaddr"] = (16, 8),
        ["p_paddr"] = (24, 8),
        ["p_filesz"] = (32, 8),
        ["p_memsz"] = (40, 8),
        ["p_align"] = (48, 8),
        ["sh_type"] = (4, 4),
        ["sh_offset"] = (24, 8),
        ["sh_size"] = (32, 8),
        ["sh_link"] = (40, 4),
        ["sh_entsize"] = (56, 8),
        ["st_name"] = (0, 4),
        ["st_info"] = (4, 1),
        ["st_shndx"] = (6, 2),
        ["st_value"] = (8, 8),
        ["st_size"] = (16, 8),
    };

    /// <summary>The lines of a table: what to change, and what is to come of it.</summary>
    public static IEnumerable<(string Changes, string Expected)> ReadTable(string name)
    {
        string path = Path.Combine(AppContext.BaseDirectory, "data", "loaders", name);
        foreach (string line in File.ReadLines(path))
        {
            if (line.Length == 0 || line[0] == '#')
                continue;
            string[] columns = line.Split('|', 2);
            yield return (columns[0].Trim(), columns[1].Trim());
        }
    }

    /// <summary>Applies changes such as <c>e_phnum=3 p1.p_memsz=0x10 length=64</c> to a copy.</summary>
    public static byte[] Apply(byte[] file, string changes)
    {
        byte[] sound = file;
        file = [.. file];
        foreach (string change in changes.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = change.Split('=');
            ulong value = parts[1].StartsWith("0x", StringComparison.Ordinal)
                ? ulong.Parse(parts[1].AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture)
                : ulong.Parse(parts[1], CultureInfo.InvariantCulture);
            if (parts[0] == "length")
            {
                file = file[..(int)value];
                continue;
            }

            (int offset, int size) = Locate(sound, parts[0]);
            for (int i = 0; i < size; i++)
                file[offset + i] = (byte)(value >> (i * 8));
        }

        return file;
    }

    private static (int Offset, int Size) Locate(byte[] sound, string name)
    {
        int dot = name.IndexOf('.');
        (int offset, int size) = Fields[name[(dot + 1)..]];
        if (dot < 0)
            return (offset, size);

        int index = int.Parse(name.AsSpan(1, dot - 1), CultureInfo.InvariantCulture);
        int sections = (int)BinaryPrimitives.ReadUInt64LittleEndian(sound.AsSpan(SectionTableOffsetField));
        int start = name[0] switch
        {
            'p' => HeaderBytes + (index * ProgramHeaderBytes),
            's' => sections + (index * SectionHeaderBytes),
            'y' => (int)BinaryPrimitives.ReadUInt64LittleEndian(sound.AsSpan(sections + SectionHeaderBytes + SectionOffsetField)) + (index * SymbolBytes),
            _ => throw new ArgumentException($"No structure is called {name[0]}."),
        };
        return (start + offset, size);
    }
}
