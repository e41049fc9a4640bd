using Xunit;

[assembly: TestCollectionOrderer("Mmu86.TestKit.LongTestsFirst", "Mmu86.TestKit")]
