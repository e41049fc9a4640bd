using Mmu86.X86;

namespace Mmu86.Loaders.Processes;

/// <summary>One that holds translations of a process's pages: told when the tables changed below it.</summary>
public interface ITranslationInvalidator
{
    /// <summary>Entries that map a range were removed or changed: as after INVLPG for every page of it.</summary>
    /// <param name="start">Aligned to the page size.</param>
    /// <param name="lengthInBytes">A multiple of the page size.</param>
    /// <param name="size">The size of every page in the range.</param>
    void Invalidate(LinearAddress start, ulong lengthInBytes, PageSize size);
}
