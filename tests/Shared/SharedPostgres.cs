namespace Lockstep.Testing;

/// <summary>A fixture: one <see cref="PostgresServer"/>. Tests keep apart by <see cref="PostgresServer.CreateDatabaseAsync"/>.</summary>
public sealed class SharedPostgres() : SharedServer<PostgresServer>(static token => PostgresServer.StartAsync(token));
