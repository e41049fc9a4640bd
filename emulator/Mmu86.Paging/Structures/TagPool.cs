using System.Diagnostics;
using Mmu86.Memory;

namespace Mmu86.Paging;

/// <summary>Hands out spaces of <see cref="Tag"/>. Retiring one kills every entry tagged with it at once, without a scan.</summary>
/// <remarks>
/// MOV CR3 would otherwise read every tag of every structure. A retired space comes back only after a sweep has emptied the ways
/// that still carry it: once in some thousand retirements.
/// </remarks>
internal sealed unsafe class TagPool
{
    private readonly byte* _alive;

    // Whether no entry carries the space. Not the opposite of alive: what was retired since the last sweep is still carried.
    private readonly bool[] _isFree = new bool[Tag.Spaces];
    private uint _next;

    /// <summary>Makes a pool with every space but 0 free.</summary>
    public TagPool(Arena arena)
    {
        _alive = arena.Allocate<byte>(Tag.Spaces);
        Swept();
    }

    /// <summary>One byte a space: 1 while its entries are valid. Valid as long as the arena.</summary>
    public byte* Alive => _alive;

    /// <summary>Whether no space can be taken before a sweep.</summary>
    public bool NeedsSweep => _next >= Tag.Spaces;

    /// <summary>Takes a space that no entry carries. Not while <see cref="NeedsSweep"/>.</summary>
    public uint Take()
    {
        Debug.Assert(!NeedsSweep);
        uint space = _next;
        _alive[space] = 1;
        _isFree[space] = false;
        FindNext(space + 1);
        return space;
    }

    /// <summary>Ends a space: whatever carries it is invalid.</summary>
    public void Retire(uint space) => _alive[space] = 0;

    /// <summary>No structure holds an entry of a retired space any more: they may be taken again.</summary>
    public void Swept()
    {
        for (int space = 1; space < Tag.Spaces; space++)
            _isFree[space] = _alive[space] == 0;
        FindNext(1);
    }

    /// <summary>Writes which spaces are taken.</summary>
    public void Save(StateWriter writer)
    {
        writer.WriteArray<byte>(new ReadOnlySpan<byte>(_alive, Tag.Spaces));
        for (int space = 0; space < Tag.Spaces; space++)
            writer.Write(_isFree[space]);
        writer.Write(_next);
    }

    /// <summary>Reads it back.</summary>
    public void Load(StateReader reader)
    {
        Span<byte> alive = new(_alive, Tag.Spaces);
        reader.ReadArray("alive", alive);
        for (int space = 0; space < Tag.Spaces; space++)
        {
            _isFree[space] = reader.ReadBoolean("free");
            if (alive[space] > 1 || (alive[space] != 0 && (_isFree[space] || space == 0)))
                throw reader.Refuse("alive", $"is wrong of space {space}");
        }

        _next = (uint)reader.ReadInt32("next", 1, Tag.Spaces);
        if (_next < Tag.Spaces && !_isFree[_next])
            throw reader.Refuse("next", $"is {_next}, which is taken");
    }

    /// <summary>Whether a space is in use.</summary>
    public bool IsAlive(uint space) => space < Tag.Spaces && _alive[space] != 0;

    private void FindNext(uint from)
    {
        _next = from;
        while (_next < Tag.Spaces && !_isFree[_next])
            _next++;
    }
}
