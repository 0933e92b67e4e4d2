using System.Text.Json.Serialization;

namespace Lockstep.Engine.Records;

/// <summary>The engine's own small documents, serialised without reflection, which would cost tens of milliseconds at startup.</summary>
[JsonSerializable(typeof(string[]))]
[JsonSerializable(typeof(string))]
internal sealed partial class EngineJson : JsonSerializerContext;
