Console.Error.WriteLine("bench");
