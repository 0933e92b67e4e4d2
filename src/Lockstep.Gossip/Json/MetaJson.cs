using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Lockstep.Gossip.Json;

/// <summary>Writes the meta of a header without reflection.</summary>
[JsonSerializable(typeof(JsonElement))]
[JsonSerializable(typeof(JsonObject))]
internal sealed partial class MetaJson : JsonSerializerContext;
