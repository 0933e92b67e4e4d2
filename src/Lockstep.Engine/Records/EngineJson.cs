using System.Text.Json.Serialization;

namespace Lockstep.Engine.Records;

/// <summary>The engine's own small documents, serialised without reflection, which costs tens of milliseconds at the start.</summary>
[JsonSerializable(typeof(string[]))]
[JsonSerializable(typeof(string))]
internal sealed partial class EngineJson : JsonSerializerContext;
