namespace Lockstep.Engine.Dialects;

/// <summary>The dialects built into Lockstep, in the same form as any other.</summary>
public static class BuiltInDialects
{
    private static readonly Lazy<IReadOnlyList<DialectDescription>> Known = new(Read);

    /// <summary>All of them, by name.</summary>
    public static IReadOnlyList<DialectDescription> All => Known.Value;

    internal static IEnumerable<string> Names => All.Select(dialect => dialect.Name);

    /// <summary>The built-in dialect of a name; null if there is none.</summary>
    /// <param name="name">Its name; case is ignored.</param>
    public static DialectDescription? Find(string name) =>
        All.FirstOrDefault(dialect => dialect.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    private static IReadOnlyList<DialectDescription> Read() =>
        [
            DialectDescription.Parse(
                """
                {
                  "Description": "Delta queries of Microsoft Graph, Dataverse, Business Central and other services of OData",
                  "Framing": "Json", "Items": "value", "Key": "id", "Update": "Merge", "Resume": true, "Drop": "*@delta",
                  "Deleted": ["@removed", "@odata.removed", "deleted", { "@odata.context": "*/$deletedEntity" },
                    { "@context": "*/$deletedEntity" }],
                  "DeletedKey": ["id", "@odata.id", "@id"],
                  "Skip": { "@odata.context": ["*/$link", "*/$deletedLink"] },
                  "Next": ["@odata.nextLink", "@nextLink"],
                  "Cursor": ["@odata.deltaLink", "@deltaLink"],
                  "UpToDate": ["@odata.deltaLink", "@deltaLink"],
                  "Resync": [410, { "/error/code": ["syncStateNotFound", "SyncStateNotFound", "syncStateInvalid", "SyncStateInvalid",
                    "resyncRequired", "ResyncRequired", "resyncChangesApplyDifferences", "resyncChangesUploadDifferences",
                    "Directory_ExpiredPageToken"] }],
                  "Snapshot": { "Headers": { "Prefer": "odata.track-changes" } },
                  "Changes": {},
                  "Interval": "00:05:00"
                }
                """,
                "ODataDelta"
            ),
            DialectDescription.Parse(
                """
                {
                  "Description": "A list of JSON, in one page or many; what is no longer in it is gone",
                  "Framing": "Json", "Key": "id",
                  "Next": ["link:next", "next", "/links/next", "/_links/next/href", "nextLink", "@odata.nextLink"],
                  "Interval": "00:05:00"
                }
                """,
                "Rest"
            ),
            DialectDescription.Parse(
                """
                {
                  "Description": "A list of Kubernetes and its watch",
                  "Key": "/metadata/uid",
                  "Resync": [410, { "type": "ERROR", "/object/code": 410 }],
                  "Snapshot": {
                    "Framing": "Json", "Items": "items", "TypedItems": true, "Query": { "limit": "500" },
                    "Next": { "continue": "/metadata/continue" }, "Cursor": "/metadata/resourceVersion"
                  },
                  "Live": {
                    "Framing": "JsonLines", "Record": "object", "Deleted": { "type": "DELETED" }, "Heartbeat": { "type": "BOOKMARK" },
                    "Skip": { "type": "ERROR" }, "Only": { "type": ["ADDED", "MODIFIED", "DELETED"] },
                    "Cursor": "last:/object/metadata/resourceVersion", "Timeout": "00:05:00",
                    "Query": { "watch": "true", "resourceVersion": "{cursor}", "allowWatchBookmarks": "true",
                      "timeoutSeconds": "{timeout}" }
                  },
                  "Interval": "00:00:30"
                }
                """,
                "Kubernetes"
            ),
            DialectDescription.Parse(
                """
                {
                  "Description": "Server-sent events, each with a record as its data",
                  "Framing": "EventStream", "Key": "id", "Cursor": "id:", "Whole": false,
                  "Deleted": { "event:": "delete" },
                  "Heartbeat": { "event:": ["heartbeat", "ping", "keep-alive"] },
                  "Changes": { "Headers": { "Last-Event-ID": "{cursor}" } },
                  "Interval": "00:00:03"
                }
                """,
                "EventStream"
            ),
            DialectDescription.Parse(
                """
                {
                  "Description": "The changes of CouchDB, Cloudant, PouchDB Server and Sync Gateway",
                  "Framing": "Json", "Items": "results", "Record": "doc", "Key": { "_id": "id" }, "Deleted": "deleted",
                  "Cursor": "last_seq", "UpToDate": { "pending": 0 },
                  "Resync": { "error": "bad_request", "reason": "*'since' parameter." },
                  "Begin": { "Path": ".", "Identity": ["instance_start_time", "purge_seq"], "Cursor": "update_seq" },
                  "Snapshot": { "Query": { "include_docs": "true", "limit": "1000" } },
                  "Changes": { "Query": { "include_docs": "true", "limit": "1000", "since": "{cursor}" } },
                  "Live": {
                    "Framing": "JsonLines", "Cursor": ["last:seq", "last:last_seq"], "Skip": "last_seq",
                    "Query": { "include_docs": "true", "since": "{cursor}", "feed": "continuous", "heartbeat": "30000" }
                  },
                  "Interval": "00:00:10"
                }
                """,
                "CouchDb"
            ),
            DialectDescription.Parse(
                """
                {
                  "Description": "Shapes of Electric",
                  "Framing": "Json", "Items": "", "Record": "value", "Key": { "_key": "key" }, "Update": "Merge", "Atomic": true,
                  "Deleted": { "/headers/operation": "delete" }, "Skip": "/headers/control",
                  "Cursor": "header:electric-offset", "Identity": "header:electric-handle",
                  "UpToDate": ["header:electric-up-to-date", { "/headers/control": "up-to-date" }],
                  "Resync": [409, { "/headers/control": "must-refetch" }],
                  "Snapshot": { "Query": { "offset": "-1", "handle": "{identity}", "replica": "full" } },
                  "Changes": { "Query": { "offset": "{cursor}", "handle": "{identity}", "replica": "full" } },
                  "Live": {
                    "Timeout": "00:01:00",
                    "Query": { "offset": "{cursor}", "handle": "{identity}", "replica": "full", "live": "true",
                      "cursor": "{header:electric-cursor}" }
                  },
                  "Interval": "00:00:05"
                }
                """,
                "Shape"
            ),
            DialectDescription.Parse(
                """
                {
                  "Description": "Streams of JSON on a Durable Streams server",
                  "Framing": "Json", "Items": "", "Key": "id", "Whole": false,
                  "Cursor": "header:stream-next-offset", "CursorType": "Text", "UpToDate": "header:stream-up-to-date",
                  "End": "header:stream-closed",
                  "Resync": 410,
                  "Snapshot": { "Query": { "offset": "-1" } },
                  "Changes": { "Query": { "offset": "{cursor}" } },
                  "Live": { "Timeout": "00:01:30",
                    "Query": { "offset": "{cursor}", "live": "long-poll", "cursor": "{header:stream-cursor}" } },
                  "Interval": "00:00:05"
                }
                """,
                "DurableStream"
            ),
        ];
}
