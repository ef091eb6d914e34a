CREATE TABLE asg_details (
"FleetIndexId" INTEGER NOT NULL,
"AutoScalingGroupName" VARCHAR(255) NOT NULL,
"AsgTag" VARCHAR(255),
"HostType" VARCHAR(255),
"AutoScalingGroupRegion" VARCHAR(255),
"EAPOnboardingStatus" BOOLEAN NOT NULL,
"EAPEnableStatus" BOOLEAN NOT NULL,
"AsgCapacityLowerBound" INTEGER,
"AutoScalingGroupARN" VARCHAR(255),
PRIMARY KEY ("FleetIndexId", "AutoScalingGroupName")
);
CREATE TABLE asg_details_run (
"RunId" INTEGER NOT NULL,
"FleetIndexId" INTEGER NOT NULL,
"AutoScalingGroupName" VARCHAR(255) NOT NULL,
"AsgTag" VARCHAR(255),
"HostType" VARCHAR(255),
"AutoScalingGroupRegion" VARCHAR(255),
"EAPOnboardingStatus" BOOLEAN NOT NULL,
"EAPEnableStatus" BOOLEAN NOT NULL,
"AsgCapacityLowerBound" INTEGER,
"AutoScalingGroupARN" VARCHAR(255),
"RecommendedOverrideValue" INTEGER NOT NULL,
PRIMARY KEY ("RunId", "FleetIndexId", "AutoScalingGroupName")
);
CREATE TABLE capacity_override_details (
"RunId" INTEGER NOT NULL,
"FleetIndexId" INTEGER NOT NULL,
"AutoScalingGroupName" VARCHAR(255) NOT NULL,
"CapacityOverrideName" VARCHAR(400) NOT NULL,
"StartTime" DATETIME NOT NULL,
"Duration" VARCHAR(32) NOT NULL,
"OverrideValue" INTEGER NOT NULL,
"OverrideExpiryValue" INTEGER NOT NULL,
"OverrideTag" VARCHAR(255),
"StartOffset" INTEGER NOT NULL,
"EndOffset" INTEGER NOT NULL,
"PlaceOrderIfRequired" BOOLEAN NOT NULL,
"OverrideType" VARCHAR(16) NOT NULL,
"Justification" TEXT NOT NULL,
"EventIndexId" INTEGER NOT NULL,
"Purpose" VARCHAR(16) NOT NULL,
"EndTime" DATETIME NOT NULL,
"PeakEnd" DATETIME NOT NULL,
"BaseCapacity" INTEGER NOT NULL,
"OverrideStatus" VARCHAR(16) NOT NULL,
"Engine" VARCHAR(16) NOT NULL,
PRIMARY KEY ("RunId", "FleetIndexId", "AutoScalingGroupName")
);
CREATE INDEX override_fleet ON capacity_override_details ("FleetIndexId", "EventIndexId", "RunId", "AutoScalingGroupName");
CREATE INDEX override_status ON capacity_override_details ("OverrideStatus", "EventIndexId", "RunId", "FleetIndexId", "AutoScalingGroupName");
CREATE TABLE dead_letters (
"Id" VARCHAR(512) NOT NULL,
"Letter" TEXT NOT NULL,
PRIMARY KEY ("Id")
);
CREATE TABLE event_index (
"EventIndexId" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
"EventId" VARCHAR(255) NOT NULL,
UNIQUE ("EventId")
);
CREATE TABLE fleet_index (
"FleetIndexId" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
"FleetId" VARCHAR(255) NOT NULL,
UNIQUE ("FleetId")
);
CREATE TABLE fleet_lock (
"FleetId" VARCHAR(255) NOT NULL,
"LockTimestamp" DATETIME,
"LockedBy" VARCHAR(64),
"Holder" VARCHAR(64),
"LeaseUntil" DATETIME,
"Fence" INTEGER NOT NULL,
"Revision" INTEGER NOT NULL,
PRIMARY KEY ("FleetId")
);
CREATE TABLE fulfillment_details (
"FulfillmentId" VARCHAR(64) NOT NULL,
"AutoScalingGroupName" VARCHAR(255) NOT NULL,
"FulfillmentType" VARCHAR(16) NOT NULL,
"FulfillmentStatus" VARCHAR(16) NOT NULL,
"FulfillmentValue" INTEGER NOT NULL,
"FulfillmentDate" DATE NOT NULL,
"FulfillmentLink" TEXT,
"IsEmergent" BOOLEAN NOT NULL,
"RunId" INTEGER NOT NULL,
"FleetIndexId" INTEGER NOT NULL,
"ExecutionId" INTEGER NOT NULL,
"EventIndexId" INTEGER NOT NULL,
"Purpose" VARCHAR(16) NOT NULL,
"AvailabilityZone" VARCHAR(255),
"FulfilledHosts" INTEGER NOT NULL,
"PlacedAt" DATETIME NOT NULL,
"StatusSince" DATETIME,
"ApprovedAt" DATETIME,
"DecidedBy" VARCHAR(255),
"Reason" TEXT,
"ApprovalRule" VARCHAR(128),
"OrdersVersionId" INTEGER NOT NULL,
"Superseded" BOOLEAN NOT NULL,
"Deliveries" JSON NOT NULL,
PRIMARY KEY ("FulfillmentId")
);
CREATE INDEX fulfillment_event ON fulfillment_details ("EventIndexId", "FulfillmentStatus", "FulfillmentId");
CREATE INDEX fulfillment_fleet ON fulfillment_details ("FleetIndexId", "EventIndexId");
CREATE INDEX fulfillment_run ON fulfillment_details ("RunId", "FleetIndexId");
CREATE TABLE gap_change (
"EventIndexId" INTEGER NOT NULL,
"FleetIndexId" INTEGER NOT NULL,
"OrdersVersionId" INTEGER NOT NULL,
"ChangedAt" DATETIME NOT NULL,
"Gap" INTEGER NOT NULL,
PRIMARY KEY ("EventIndexId", "FleetIndexId", "OrdersVersionId")
);
CREATE TABLE gap_mark (
"MarkId" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
"FleetId" VARCHAR(255),
"ServiceId" VARCHAR(255),
"EventId" VARCHAR(255)
);
CREATE TABLE hotw_dashboard (
"EventIndexId" INTEGER NOT NULL,
"FleetIndexId" INTEGER NOT NULL,
"Purpose" VARCHAR(16) NOT NULL,
"ServiceIndexId" INTEGER NOT NULL,
"CapacityOverrideSum" INTEGER NOT NULL,
"OrdersVersionId" INTEGER NOT NULL,
"LatestExecutionId" INTEGER,
"LiveOrders" INTEGER NOT NULL,
"GrantedOrders" INTEGER NOT NULL,
"OpenOrders" INTEGER NOT NULL,
"LostOrders" INTEGER NOT NULL,
"ApprovedHosts" INTEGER NOT NULL,
"FulfilledHosts" INTEGER NOT NULL,
"Gap" INTEGER NOT NULL,
"EventVersionId" INTEGER NOT NULL,
"Withdrawn" BOOLEAN NOT NULL,
"DueAt" DATETIME,
"GapSince" DATETIME,
PRIMARY KEY ("EventIndexId", "FleetIndexId", "Purpose")
);
CREATE INDEX dashboard_due ON hotw_dashboard ("DueAt");
CREATE INDEX dashboard_event_version ON hotw_dashboard ("EventIndexId", "EventVersionId");
CREATE INDEX dashboard_fleet ON hotw_dashboard ("FleetIndexId");
CREATE INDEX dashboard_gap ON hotw_dashboard ("EventIndexId", "Gap");
CREATE INDEX dashboard_service ON hotw_dashboard ("EventIndexId", "Purpose", "ServiceIndexId");
CREATE TABLE hotw_execution (
"ExecutionId" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
"FleetIndexId" INTEGER NOT NULL,
"ServiceIndexId" INTEGER NOT NULL,
"EventIndexId" INTEGER NOT NULL,
"RunId" INTEGER NOT NULL,
"PeakTPM" INTEGER,
"BAUTPM" INTEGER,
"CTPeakFactor" NUMERIC(5, 2),
"BufferFactor" NUMERIC(5, 2),
"HostThroughPutTPM" INTEGER,
"RequiredHosts" INTEGER,
"HostsPresentInApollo" INTEGER,
"CapacityOverrideSum" INTEGER,
"PendingEPICFMCHostOrder" INTEGER,
"PreferredHostType" VARCHAR(255),
"Homogeneous" BOOLEAN,
"Status" VARCHAR(16) NOT NULL,
"Reasoning" TEXT NOT NULL,
"FleetVersionId" INTEGER,
"DesiredCapacity" INTEGER,
"ChildDesiredCapacity" INTEGER,
"HostDistribution" JSON,
"User" VARCHAR(255) NOT NULL,
"CreatedAt" DATETIME NOT NULL,
"Purpose" VARCHAR(16) NOT NULL,
"OrderType" VARCHAR(16) NOT NULL,
"Needed" INTEGER,
"CapReason" TEXT,
"OrderedHosts" INTEGER NOT NULL,
"Shortfall" INTEGER NOT NULL,
"FleetLine" VARCHAR(16),
"FailCode" VARCHAR(32),
"InputVersions" JSON,
"InputsHash" VARCHAR(32),
"DryRun" BOOLEAN NOT NULL,
"Engine" VARCHAR(16) NOT NULL,
"RecordedDigest" VARCHAR(64),
CONSTRAINT hotw_execution_once UNIQUE ("RunId", "FleetIndexId")
);
CREATE INDEX hotw_execution_fleet ON hotw_execution ("FleetIndexId", "EventIndexId", "ExecutionId");
CREATE TABLE hotw_run (
"RunId" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
"EventIndexId" INTEGER NOT NULL,
"RunStatus" VARCHAR(16) NOT NULL,
"OrderType" VARCHAR(16),
"OrderTypeReason" TEXT,
"CreatedAt" DATETIME NOT NULL,
"Purpose" VARCHAR(16) NOT NULL,
"User" VARCHAR(255) NOT NULL,
"Fleets" INTEGER NOT NULL,
"DryRun" BOOLEAN NOT NULL,
"Engine" VARCHAR(16) NOT NULL,
"EndedAt" DATETIME,
"Tally" JSON,
"Trace" TEXT NOT NULL
);
CREATE INDEX hotw_run_event ON hotw_run ("EventIndexId", "RunId");
CREATE INDEX hotw_run_event_status ON hotw_run ("EventIndexId", "RunStatus", "RunId");
CREATE INDEX hotw_run_status ON hotw_run ("RunStatus", "RunId");
CREATE TABLE idempotency_records (
"RecordId" VARCHAR(64) NOT NULL,
"Digest" VARCHAR(64) NOT NULL,
"UnderWay" BOOLEAN NOT NULL,
"Reference" VARCHAR(255),
"Outcome" TEXT NOT NULL,
"ExpiresAt" DATETIME NOT NULL,
PRIMARY KEY ("RecordId")
);
CREATE INDEX idempotency_records_expire ON idempotency_records ("ExpiresAt");
CREATE TABLE kept_input (
"Hash" VARCHAR(32) NOT NULL,
"Content" TEXT NOT NULL,
PRIMARY KEY ("Hash")
);
CREATE TABLE leases (
"Name" VARCHAR(64) NOT NULL,
"Holder" VARCHAR(64),
"LeaseUntil" DATETIME,
"Fence" INTEGER NOT NULL,
"Record" TEXT NOT NULL,
PRIMARY KEY ("Name")
);
CREATE TABLE meta (
"Name" VARCHAR(64) NOT NULL,
"Instant" DATETIME,
PRIMARY KEY ("Name")
);
CREATE TABLE order_review (
"ReviewId" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
"Decision" VARCHAR(16) NOT NULL,
"Reason" TEXT,
"User" VARCHAR(255) NOT NULL,
"CreatedAt" DATETIME NOT NULL,
"EndedAt" DATETIME,
"Orders" INTEGER NOT NULL,
"Decided" INTEGER NOT NULL,
"Skipped" INTEGER NOT NULL,
"Trace" TEXT NOT NULL
);
CREATE INDEX order_review_open ON order_review ("EndedAt", "ReviewId");
CREATE TABLE order_review_book (
"ReviewId" INTEGER NOT NULL,
"EventIndexId" INTEGER NOT NULL,
"Purpose" VARCHAR(16) NOT NULL,
"FleetIndexId" INTEGER NOT NULL,
"Orders" JSON NOT NULL,
PRIMARY KEY ("ReviewId", "EventIndexId", "Purpose", "FleetIndexId")
);
CREATE TABLE order_review_skipped (
"ReviewId" INTEGER NOT NULL,
"FulfillmentId" VARCHAR(255) NOT NULL,
"Reason" TEXT NOT NULL,
PRIMARY KEY ("ReviewId", "FulfillmentId")
);
CREATE TABLE outbox (
"Id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
"Topic" VARCHAR(249) NOT NULL,
"MessageKey" VARCHAR(512) NOT NULL,
"OccurredAt" DATETIME NOT NULL,
"Headers" TEXT NOT NULL,
"Body" TEXT NOT NULL
);
CREATE INDEX outbox_key ON outbox ("MessageKey");
CREATE TABLE preferred_asg (
"RecordId" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
"FleetIndexId" INTEGER NOT NULL,
"EventIndexId" INTEGER NOT NULL,
"ASGs" JSON NOT NULL,
"UpdatedBy" VARCHAR(255) NOT NULL,
"UpdatedAt" DATETIME NOT NULL,
CONSTRAINT preferred_asg_once UNIQUE ("FleetIndexId", "EventIndexId")
);
CREATE TABLE provider_group (
"FleetIndexId" INTEGER NOT NULL,
"AutoScalingGroupName" VARCHAR(255) NOT NULL,
"Revision" INTEGER NOT NULL,
"DueAt" DATETIME,
"Attempts" INTEGER NOT NULL,
"Drifts" INTEGER NOT NULL,
"Asked" JSON NOT NULL,
"FoundMinSize" INTEGER,
"FoundMaxSize" INTEGER,
"Failure" TEXT,
"LookAt" DATETIME,
PRIMARY KEY ("FleetIndexId", "AutoScalingGroupName")
);
CREATE INDEX provider_group_due ON provider_group ("DueAt");
CREATE INDEX provider_group_look ON provider_group ("LookAt");
CREATE TABLE reported_sum (
"EventIndexId" INTEGER NOT NULL,
"FleetIndexId" INTEGER NOT NULL,
"Purpose" VARCHAR(16) NOT NULL,
"ReportedSum" INTEGER NOT NULL,
"ReportedBy" VARCHAR(255) NOT NULL,
"ReportedAt" DATETIME NOT NULL,
PRIMARY KEY ("EventIndexId", "FleetIndexId", "Purpose")
);
CREATE TABLE run_fleet (
"RunId" INTEGER NOT NULL,
"FleetIndexId" INTEGER NOT NULL,
"FleetId" VARCHAR(255) NOT NULL,
"ClaimUntil" DATETIME,
"BlockedSince" DATETIME,
PRIMARY KEY ("RunId", "FleetIndexId")
);
CREATE TABLE run_slot (
"EventIndexId" INTEGER NOT NULL,
"Slot" DATETIME NOT NULL,
"RunId" INTEGER,
PRIMARY KEY ("EventIndexId", "Slot")
);
CREATE TABLE service_index (
"ServiceIndexId" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
"ServiceId" VARCHAR(255) NOT NULL,
UNIQUE ("ServiceId")
);
