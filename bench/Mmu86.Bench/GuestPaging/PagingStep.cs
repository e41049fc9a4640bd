namespace Mmu86.Bench.GuestPaging;

/// <summary>Something whose price is measured: two guests that differ in nothing but how often it happens.</summary>
/// <param name="Name">For the table.</param>
/// <param name="Few">The guest with few events.</param>
/// <param name="Many">The same with more.</param>
/// <param name="Contenders">Who runs it, and how its events are counted. The first is what others are compared with.</param>
internal sealed record PagingStep(string Name, PagingGuest Few, PagingGuest Many, IReadOnlyList<PagingContender> Contenders);

/// <summary>A way to run a guest.</summary>
/// <param name="Name">For the table.</param>
/// <param name="Run">Runs a guest in an empty folder.</param>
internal sealed record PagingContender(string Name, Func<PagingGuest, string, PagingRun> Run);
