using Xunit;
using Xunit.Abstractions;

namespace Mmu86.TestKit;

/// <summary>Orders the classes of an assembly: those with <see cref="LongTestsAttribute"/> first, the others as they come.</summary>
public sealed class LongTestsFirst : ITestCollectionOrderer
{
    // What the framework calls the tests of a class that is in no collection by name.
    private const string Prefix = "Test collection for ";

    /// <inheritdoc/>
    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections) =>
        testCollections.OrderByDescending(IsLong);

    private static bool IsLong(ITestCollection collection) =>
        collection.DisplayName.StartsWith(Prefix, StringComparison.Ordinal)
        && collection.TestAssembly.Assembly.GetType(collection.DisplayName[Prefix.Length..]) is { } tests
        && tests.GetCustomAttributes(typeof(LongTestsAttribute).AssemblyQualifiedName).Any();
}
