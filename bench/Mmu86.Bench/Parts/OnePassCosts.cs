using BenchmarkDotNet.Attributes;
using Mmu86.Lab.Sweeps.OnePass;

namespace Mmu86.Bench.Parts;

/// <summary>What a lookup costs in a sweep of 160 LRU arrays (1 to 512 sets, 1 to 16 ways), by stream, next to one array simulated directly.</summary>
/// <remarks>Times are by lookup before collapsing. Each setup checks that both count the same misses.</remarks>
public class OnePassCosts
{
    private const int MostEntries = 4096;

    private static readonly int[] SetCounts = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

    private readonly DirectLru _direct = new();
    private readonly LruFamily _family = new(new LruFamilyGeometry(SetCounts, LruFamilyGeometry.WaysLimit));
    private readonly FullyAssociativeFamily _fullyAssociative = new(MostEntries);
    private readonly MissClassifier _classifier = new(DirectLru.Sets * DirectLru.Ways);
    private PageReference[] _stream = [];

    [GlobalSetup(Targets = [nameof(Random_Direct), nameof(Random_Family), nameof(Random_FullyAssociative), nameof(Random_Classes)])]
    public void SetUpRandom() => Use(ReferenceStreams.UniformRandom(8192));

    [Benchmark(OperationsPerInvoke = ReferenceStreams.Length, Description = "random over 8192 pages, 1 array directly")]
    public void Random_Direct() => _direct.Access(_stream);

    [Benchmark(OperationsPerInvoke = ReferenceStreams.Length, Description = "the same, 160 arrays in one pass")]
    public void Random_Family() => _family.Access(_stream);

    [Benchmark(OperationsPerInvoke = ReferenceStreams.Length, Description = "the same, fully associative of 1 to 4096 entries")]
    public void Random_FullyAssociative() => _fullyAssociative.Access(_stream);

    [Benchmark(OperationsPerInvoke = ReferenceStreams.Length, Description = "the same, classes of the misses of 64 entries")]
    public void Random_Classes()
    {
        foreach (ref readonly PageReference reference in _stream.AsSpan())
            _classifier.Touch(reference.Page, reference.Space);
    }

    [GlobalSetup(Targets = [nameof(MatrixProduct_Direct), nameof(MatrixProduct_Family)])]
    public void SetUpMatrixProduct() => Use(ReferenceStreams.MatrixProduct());

    [Benchmark(OperationsPerInvoke = ReferenceStreams.Length, Description = "product of matrices, 1 array directly")]
    public void MatrixProduct_Direct() => _direct.Access(_stream);

    [Benchmark(OperationsPerInvoke = ReferenceStreams.Length, Description = "the same, 160 arrays in one pass")]
    public void MatrixProduct_Family() => _family.Access(_stream);

    [GlobalSetup(Targets = [nameof(BinarySearch_Direct), nameof(BinarySearch_Family)])]
    public void SetUpBinarySearch() => Use(ReferenceStreams.BinarySearch());

    [Benchmark(OperationsPerInvoke = ReferenceStreams.Length, Description = "binary search and the stack, 1 array directly")]
    public void BinarySearch_Direct() => _direct.Access(_stream);

    [Benchmark(OperationsPerInvoke = ReferenceStreams.Length, Description = "the same, 160 arrays in one pass")]
    public void BinarySearch_Family() => _family.Access(_stream);

    [GlobalSetup(Targets = [nameof(Copy_Direct), nameof(Copy_Family)])]
    public void SetUpCopy() => Use(ReferenceStreams.Copy());

    [Benchmark(OperationsPerInvoke = ReferenceStreams.Length, Description = "copy of 8 MiB, 1 array directly")]
    public void Copy_Direct() => _direct.Access(_stream);

    [Benchmark(OperationsPerInvoke = ReferenceStreams.Length, Description = "the same, 160 arrays in one pass")]
    public void Copy_Family() => _family.Access(_stream);

    [GlobalSetup(Targets = [nameof(Partitions_Direct), nameof(Partitions_Family)])]
    public void SetUpPartitions() => Use(ReferenceStreams.Partitions());

    [Benchmark(OperationsPerInvoke = ReferenceStreams.Length, Description = "partitions of quicksort, 1 array directly")]
    public void Partitions_Direct() => _direct.Access(_stream);

    [Benchmark(OperationsPerInvoke = ReferenceStreams.Length, Description = "the same, 160 arrays in one pass")]
    public void Partitions_Family() => _family.Access(_stream);

    private void Use(PageReference[] stream)
    {
        _stream = stream;
        _direct.Access(stream);
        _family.Access(stream);
        if (_direct.Lookups != ReferenceStreams.Length || _direct.Misses != _family.Misses(DirectLru.Sets, DirectLru.Ways))
            throw new MeasurementException("The array simulated directly and the family do not count the same.");
    }
}
