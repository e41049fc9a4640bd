using System.Numerics;
using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>256 bits, one for each vector: IRR, ISR and TMR.</summary>
internal struct VectorSet
{
    private ulong _bits0;
    private ulong _bits1;
    private ulong _bits2;
    private ulong _bits3;

    /// <summary>The highest vector in the set; -1 where it is empty.</summary>
    public readonly int Highest =>
        _bits3 != 0 ? 255 - BitOperations.LeadingZeroCount(_bits3)
        : _bits2 != 0 ? 191 - BitOperations.LeadingZeroCount(_bits2)
        : _bits1 != 0 ? 127 - BitOperations.LeadingZeroCount(_bits1)
        : 63 - BitOperations.LeadingZeroCount(_bits0);

    public readonly bool Contains(byte vector) => (Word(vector >> 6) >> (vector & 63) & 1) != 0;

    public void Add(byte vector) => Set(vector >> 6, Word(vector >> 6) | (1UL << (vector & 63)));

    public void Remove(byte vector) => Set(vector >> 6, Word(vector >> 6) & ~(1UL << (vector & 63)));

    /// <summary>One of the eight registers that show the set: bit i of register r is vector 32 r + i.</summary>
    public readonly uint Register(int index) => (uint)(Word(index >> 1) >> ((index & 1) * 32));

    private readonly ulong Word(int index) => index switch { 0 => _bits0, 1 => _bits1, 2 => _bits2, _ => _bits3 };

    private void Set(int index, ulong value)
    {
        switch (index)
        {
            case 0:
                _bits0 = value;
                break;
            case 1:
                _bits1 = value;
                break;
            case 2:
                _bits2 = value;
                break;
            default:
                _bits3 = value;
                break;
        }
    }

    public readonly void Save(StateWriter writer) => writer.WriteArray<ulong>([_bits0, _bits1, _bits2, _bits3]);

    public void Load(StateReader reader, string field)
    {
        Span<ulong> words = stackalloc ulong[4];
        reader.ReadArray(field, words);
        (_bits0, _bits1, _bits2, _bits3) = (words[0], words[1], words[2], words[3]);
    }
}
