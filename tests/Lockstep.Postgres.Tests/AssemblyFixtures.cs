using Lockstep.Testing;

[assembly: AssemblyFixture(typeof(SharedPostgres))]
