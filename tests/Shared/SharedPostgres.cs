namespace Lockstep.Testing;

/// <summary>A fixture: one <see cref="PostgresServer"/>. <see cref="PostgresServer.CreateDatabaseAsync"/> separates tests.</summary>
public sealed class SharedPostgres() : SharedServer<PostgresServer>(static token => PostgresServer.StartAsync(token));
