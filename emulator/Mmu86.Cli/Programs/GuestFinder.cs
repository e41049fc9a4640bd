using Mmu86.GuestPrograms;
using Mmu86.Lab.Configuration;

namespace Mmu86.Cli.Programs;

/// <summary>Finds bundled guests by name.</summary>
internal static class GuestFinder
{
    /// <summary>Every name that <c>run</c> takes.</summary>
    public static IEnumerable<string> Names => GuestCatalogue.All.SelectMany(guest => guest.Variants.HasFlag(GuestVariants.RingThree | GuestVariants.Bare)
        ? [guest.Name, guest.Name + GuestCatalogue.BareSuffix]
        : new[] { guest.Name });

    /// <summary>The guest of a name.</summary>
    /// <exception cref="UserErrorException">Status 65: there is none.</exception>
    public static GuestProgram Find(string name) => GuestCatalogue.Find(name)
        ?? throw new UserErrorException(ExitStatus.BadInput, $"there is no guest '{name}'{(Suggestion.Nearest(name, Names) is string near ? $"; did you mean '{near}'?" : "; see 'mmu86 list guests'")}");
}
