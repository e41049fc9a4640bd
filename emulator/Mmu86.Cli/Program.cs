Console.Error.WriteLine("mmu86");
return 64;
